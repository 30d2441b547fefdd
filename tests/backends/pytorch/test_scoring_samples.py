"""Monte Carlo dropout in PyTorch, against NumPy."""

import numpy as np
import pytest

from manyseeds.backend.values import Sampling
from manyseeds.randomness import noise as reference
from manyseeds.techniques import network_streams

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch import scoring  # noqa: E402
from manyseeds_pytorch.device import OpenDevice  # noqa: E402
from tests.backends.pytorch.technique_toy import (  # noqa: E402
    FAMILIAR,
    a_network,
    a_phase,
    begun,
    first_weights,
    noise_keys,
    some_data,
)


def predicted(network, weights, inputs, keys, step):
    """Return one lane's predictions with dropout on."""
    values = inputs * reference.kept(keys["dropout1"], step, *inputs.shape, 0.4)[0]
    values = (values * reference.keep_scale(0.4)) @ weights["hidden1/kernel"]
    values = np.tanh(values + weights["hidden1/bias"])
    mask = reference.kept(keys["alpha_dropout1"], step, *values.shape, 0.2)[0]
    a, b = reference.alpha_affine(0.2)
    values = a * np.where(mask, values, reference.SELU_FLOOR) + b
    logits = values @ weights["output/kernel"] + weights["output/bias"]
    if network.loss == "binary_cross_entropy":
        return 1 / (1 + np.exp(-logits))
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize(("output", "units"), [("softmax", 3), ("logistic", 1)])
def test_monte_carlo_dropout_averages_probabilities(double, output, units, monkeypatch):
    monkeypatch.setattr(scoring, "SAMPLING_ROWS", 10)
    hidden = (
        {"name": "dropout", "rate": 0.4},
        {"name": "gaussian_noise", "sd": 5.0},
        FAMILIAR[0] | {"drop_connect": {"rate": 0.5}},
        {"name": "alpha_dropout", "rate": 0.2},
    )
    network, lanes, samples = a_network(hidden, output, units), 3, 4
    data = some_data(output)
    all_keys = network_streams.noise_keys(
        network, {"dropout": range(lanes), "augment": range(lanes)}, "mc"
    )
    weights = first_weights(network, lanes)
    cohort = begun(double, a_phase(network), lanes, data=data)
    sampling = Sampling(samples, all_keys)
    scores = cohort.score(("loss", "accuracy"), probabilities=True, sampling=sampling)
    inputs, labels = data.test.inputs, data.test.labels
    for lane in range(lanes):
        own = {name: value[lane] for name, value in weights.items()}
        keys = {label: key[lane : lane + 1] for label, key in all_keys.items()}
        mean = np.concatenate(
            [
                np.mean(
                    [
                        predicted(network, own, inputs[10 * b : 10 * b + 10], keys, 3 * s + b)
                        for s in range(samples)
                    ],
                    axis=0,
                )
                for b in range(3)
            ]
        )
        np.testing.assert_allclose(scores.probabilities[lane], mean, rtol=1e-11)
        if output == "softmax":
            chance, right = mean[np.arange(23), labels], mean.argmax(1) == labels
        else:
            chance = np.where(labels == 1, mean[:, 0], 1 - mean[:, 0])
            right = (mean[:, 0] > 0.5) == labels
        assert scores.metrics["loss"][lane] == pytest.approx(-np.log(chance).mean(), rel=1e-11)
        assert scores.metrics["accuracy"][lane] == right.mean()


def test_samples_in_blocks_of_any_size_are_the_same(double, monkeypatch):
    network = a_network(({"name": "dropout", "rate": 0.4}, *FAMILIAR))
    cohort = begun(double, a_phase(network), 3)
    sampling = Sampling(3, noise_keys(network, 3))
    whole = cohort.score(("loss",), probabilities=True, sampling=sampling)
    monkeypatch.setattr(OpenDevice, "activation_elements", 1)
    blocks = cohort.score(("loss",), probabilities=True, sampling=sampling)
    np.testing.assert_allclose(blocks.probabilities, whole.probabilities, rtol=1e-12)
    np.testing.assert_allclose(blocks.metrics["loss"], whole.metrics["loss"], rtol=1e-12)


def test_averaged_predictions_of_a_linear_output_have_a_squared_error(double):
    network = a_network(({"name": "dropout", "rate": 0.0}, *FAMILIAR), "linear", 1)
    data = some_data("linear")
    cohort = begun(double, a_phase(network), 2, data=data)
    sampled = cohort.score(("loss",), sampling=Sampling(2, noise_keys(network, 2)))
    plain = cohort.score(("loss",))
    np.testing.assert_allclose(sampled.metrics["loss"], plain.metrics["loss"], rtol=1e-12)
