"""The JAX wing's scores against closed forms and plain NumPy."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

from manyseeds.backend.values import Sampling
from manyseeds.errors import RequestError
from manyseeds.randomness import noise as definition
from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE
from manyseeds.techniques.network_streams import initial_weights
from manyseeds_jax import cohort as cohorts
from tests.backends.jax.toy import (
    FEATURES,
    LINEAR_MODEL,
    OUTPUT,
    SMALL,
    dense_network,
    examples,
    keys,
    lane_of,
    network,
    perturbed,
    started,
)


def logits_of(weights, inputs, lane):
    """Return the logits of one selu layer and an output, in plain NumPy."""
    layer = {name: value[lane] for name, value in weights.items()}
    values = inputs @ layer["hidden1/kernel"] + layer["hidden1/bias"]
    negative = SELU_ALPHA * np.expm1(np.minimum(values, 0))
    values = SELU_SCALE * np.where(values > 0, values, negative)
    return values @ layer["output/kernel"] + layer["output/bias"]


@pytest.mark.parametrize(
    ("split", "elements"), [("train", 1 << 22), ("valid", 1 << 22), ("valid", 45), ("test", 162)]
)
def test_softmax_scores_are_the_closed_form_in_one_block_or_several(
    double, monkeypatch, split, elements
):
    monkeypatch.setitem(cohorts.EVALUATION_ELEMENTS, "cpu", elements)
    data, seeds = examples(SMALL), [1, 2, 3]
    cohort = started(double, SMALL, seeds=seeds, data=data)
    if split == "test":
        scores = cohort.score(("loss", "accuracy"), probabilities=True)
    else:
        scores = cohort.evaluate(split, ("loss", "accuracy"), probabilities=True)
    part = getattr(data, split)
    for lane in range(3):
        exponentials = np.exp(logits_of(initial_weights(SMALL, FEATURES, seeds), part.inputs, lane))
        expected = exponentials / exponentials.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(scores.probabilities[lane], expected, rtol=1e-10)
        loss = -np.log(expected[np.arange(len(part)), part.labels]).mean()
        accuracy = np.mean(expected.argmax(axis=1) == part.labels)
        np.testing.assert_allclose(scores.metrics["loss"][lane], loss, rtol=1e-10)
        np.testing.assert_allclose(scores.metrics["accuracy"][lane], accuracy, rtol=1e-15)


def test_logistic_scores_are_the_closed_form(double):
    net = dense_network((9, "selu"), outputs=1, activation="logistic")
    data, seeds = examples(net), [1, 2]
    cohort = started(double, net, seeds=seeds, data=data)
    scores = cohort.evaluate("valid", ("accuracy", "loss"), probabilities=True)
    labels = data.valid.labels
    for lane in range(2):
        logits = logits_of(initial_weights(net, FEATURES, seeds), data.valid.inputs, lane)[:, 0]
        positive = 1 / (1 + np.exp(-logits))
        np.testing.assert_allclose(scores.probabilities[lane][:, 0], positive, rtol=1e-10)
        loss = -np.mean(np.where(labels == 1, np.log(positive), np.log(1 - positive)))
        np.testing.assert_allclose(scores.metrics["loss"][lane], loss, rtol=1e-10)
        accuracy = np.mean((positive > 0.5) == (labels == 1))
        np.testing.assert_allclose(scores.metrics["accuracy"][lane], accuracy, rtol=1e-15)


def test_ties_go_to_the_first_class_and_to_class_0(single):
    for net in (dense_network(), dense_network(outputs=1, activation="logistic")):
        data = examples(net)
        zeros = {
            name: np.zeros_like(value)
            for name, value in initial_weights(net, FEATURES, [1]).items()
        }
        cohort = started(single, net, zeros, [1], data)
        accuracy = cohort.evaluate("valid", ("accuracy",)).metrics["accuracy"]
        np.testing.assert_allclose(accuracy, np.mean(data.valid.labels == 0))


def test_a_linear_output_has_no_accuracy(single):
    cohort = started(single, LINEAR_MODEL)
    with pytest.raises(RequestError, match="linear output, which has neither accuracy"):
        cohort.evaluate("valid", ("loss", "accuracy"))


@pytest.mark.parametrize(
    "output", [OUTPUT, {"name": "dense", "units": 1, "activation": "logistic"}]
)
@pytest.mark.parametrize("rows", [1000, 10])
def test_sampled_scores_are_means_over_samples_of_the_defined_noise(
    fresh, monkeypatch, output, rows
):
    monkeypatch.setattr(cohorts, "SAMPLING_ROWS", rows)
    net = network(
        {"name": "dropout", "rate": 0.4}, {"name": "gaussian_noise"}, "batch_norm", output
    )
    data, first = examples(net), perturbed(net)
    samples, blocks = 4, -(-len(data.test) // rows)
    noise = {"dropout1": keys(net)["dropout1"]}
    cohort = started(fresh("float64"), net, first)
    scores = cohort.score(
        ("loss", "accuracy"), probabilities=True, sampling=Sampling(samples, noise)
    )
    for lane in range(3):
        weights, means = lane_of(first, lane), []
        for block in range(blocks):
            inputs = data.test.inputs[block * rows : (block + 1) * rows]
            mean = 0
            for sample in range(samples):
                step = sample * blocks + block
                mask = definition.kept(noise["dropout1"], step, len(inputs), FEATURES, 0.4)[lane]
                dropped = inputs * mask * definition.keep_scale(0.4)
                sd = np.sqrt(weights["batch_norm1/moving_variance"] + 1e-3)
                normal = (dropped - weights["batch_norm1/moving_mean"]) / sd
                normal = normal * weights["batch_norm1/gamma"] + weights["batch_norm1/beta"]
                logits = normal @ weights["output/kernel"] + weights["output/bias"]
                powers = np.exp(logits)
                total = powers.sum(axis=1, keepdims=True) if len(logits[0]) > 1 else 1 + powers
                mean = mean + powers / total / samples
            means.append(mean)
        means, labels = np.concatenate(means), data.test.labels
        np.testing.assert_allclose(scores.probabilities[lane], means, rtol=1e-10)
        if means.shape[1] == 1:
            means = np.concatenate([1 - means, means], axis=1)
        loss = -np.log(means[np.arange(len(labels)), labels]).mean()
        np.testing.assert_allclose(scores.metrics["loss"][lane], loss, rtol=1e-10)
        right = (means.argmax(axis=1) == labels).mean()
        np.testing.assert_allclose(scores.metrics["accuracy"][lane], right)
