"""The JAX wing's layers: gradients by hand, with PyTorch, and with the noise's definition."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

from manyseeds.backend.values import Batch
from manyseeds.randomness import noise as definition
from manyseeds.techniques.network_streams import initial_weights
from tests.backends.jax.toy import (
    FEATURES,
    LINEAR,
    SEEDS,
    dense_network,
    examples,
    keys,
    lane_of,
    network,
    perturbed,
    started,
)


def test_dropout_follows_its_noise_in_training_and_drops_nothing_in_evaluation(double):
    """With dropout on the inputs of a linear model, gradient and loss are computed by hand."""
    rate, step, seeds = 0.3, 11, [1, 2, 3]
    net = dense_network(outputs=1, activation="linear", dropout=rate)
    data = examples(net)
    cohort = started(double, net, seeds=seeds, data=data)
    noise = keys(net, seeds)
    rows = np.stack([np.arange(lane, lane + 10) for lane in range(3)]).astype(np.int32)
    gradient = cohort.gradient(Batch(rows, noise, step))
    mask = definition.kept(noise["dropout1"], step, 10, FEATURES, rate)
    kernel = initial_weights(net, FEATURES, seeds)["output/kernel"]
    for lane in range(3):
        inputs = data.train.inputs[rows[lane]] * mask[lane] * definition.keep_scale(rate)
        error = inputs @ kernel[lane][:, 0] - data.train.labels[rows[lane]]
        np.testing.assert_allclose(
            gradient["output/kernel"][lane][:, 0], 2 * inputs.T @ error / 10, rtol=1e-12
        )
    plain = np.mean((data.valid.inputs @ kernel[0][:, 0] - data.valid.labels) ** 2)
    np.testing.assert_allclose(cohort.evaluate("valid", ("loss",)).metrics["loss"][0], plain)


def test_gradients_contain_the_noise_as_it_is_defined(double):
    """With a noisy layer on the inputs of a linear model, the gradient is computed by hand."""
    rate, step = 0.3, 5
    a, b = definition.alpha_affine(rate)
    net = network({"name": "alpha_dropout", "rate": rate}, LINEAR)
    noise = keys(net)["alpha_dropout1"]
    mask = definition.kept(noise, step, 10, FEATURES, rate)
    check_gradient(
        double, net, step, lambda x, lane: a * np.where(mask[lane], x, definition.SELU_FLOOR) + b
    )
    net = network({"name": "gaussian_noise", "sd": 0.4}, LINEAR)
    drawn = definition.normals(keys(net)["noise1"], step, 10 * FEATURES).reshape(3, 10, FEATURES)
    check_gradient(double, net, step, lambda x, lane: x + 0.4 * drawn[lane])
    net = network({"name": "activation", "function": {"name": "rrelu", "lower": 0.2}}, LINEAR)
    slopes = definition.slopes(keys(net)["activation1"], step, 10, FEATURES, 0.2, 1 / 3)
    check_gradient(double, net, step, lambda x, lane: np.where(x > 0, x, slopes[lane] * x))


def check_gradient(backend, net, step, disturb):
    data, first = examples(net), initial_weights(net, FEATURES, SEEDS)
    rows = np.stack([np.arange(lane, lane + 10) for lane in range(3)]).astype(np.int32)
    gradient = started(backend, net).gradient(Batch(rows, keys(net), step))
    for lane in range(3):
        inputs = disturb(data.train.inputs[rows[lane]], lane)
        error = inputs @ first["output/kernel"][lane][:, 0] - data.train.labels[rows[lane]]
        expected = 2 * inputs.T @ error / 10
        np.testing.assert_allclose(gradient["output/kernel"][lane][:, 0], expected, rtol=1e-11)


def test_drop_connect_drops_weights_and_not_their_bias(double):
    net = network(LINEAR | {"drop_connect": {"rate": 0.4}})
    data, first, noise = examples(net), perturbed(net), keys(net)
    rows, step = np.tile(np.arange(10, dtype=np.int32), (3, 1)), 7
    gradient = started(double, net, first).gradient(Batch(rows, noise, step))
    kept_weights = definition.kept(noise["output/kernel"], step, FEATURES, 1, 0.4)
    for lane in range(3):
        factors = kept_weights[lane] * definition.keep_scale(0.4)
        inputs = data.train.inputs[:10]
        output = inputs @ (first["output/kernel"][lane] * factors) + first["output/bias"][lane]
        slope = 2 * (output - data.train.labels[:10, None]) / 10
        np.testing.assert_allclose(
            gradient["output/kernel"][lane], inputs.T @ slope * factors, rtol=1e-11
        )
        np.testing.assert_allclose(gradient["output/bias"][lane], slope.sum(axis=0), rtol=1e-11)
    assert 0 < kept_weights.mean() < 1


def test_a_randomised_relu_predicts_with_its_mean_slope_and_no_layer_is_noisy(double):
    noisy = ({"name": "alpha_dropout", "rate": 0.5}, {"name": "gaussian_noise"})
    rrelu = {"name": "activation", "function": {"name": "rrelu", "lower": 0.1, "upper": 0.5}}
    net = network(*noisy, rrelu, LINEAR | {"drop_connect": {}})
    data, first = examples(net), perturbed(net)
    losses = started(double, net, first).evaluate("valid", ("loss",)).metrics["loss"]
    inputs = np.where(data.valid.inputs > 0, data.valid.inputs, 0.3 * data.valid.inputs)
    for lane in range(3):
        output = inputs @ first["output/kernel"][lane] + first["output/bias"][lane]
        expected = np.mean((output[:, 0] - data.valid.labels) ** 2)
        np.testing.assert_allclose(losses[lane], expected, rtol=1e-12)


RESIDUAL = network(
    {"name": "dense", "units": FEATURES, "activation": "prelu"},
    "scale",
    {"name": "skip", "of": "input"},
    {"name": "activation", "function": "tanh"},
    {"name": "skip", "of": "hidden1"},
    LINEAR,
)


def test_skips_scales_and_learned_slopes_are_pytorchs(double):
    torch = pytest.importorskip("torch")
    first, data = perturbed(RESIDUAL), examples(RESIDUAL)
    rows = np.tile(np.arange(10, dtype=np.int32), (3, 1))
    ours = started(double, RESIDUAL, first).gradient(Batch(rows))
    assert list(ours) == list(RESIDUAL.trained())
    for lane in range(3):
        theirs = {n: torch.tensor(v, requires_grad=True) for n, v in lane_of(first, lane).items()}
        inputs = torch.tensor(data.train.inputs[:10])
        hidden = inputs @ theirs["hidden1/kernel"] + theirs["hidden1/bias"]
        hidden = torch.nn.functional.prelu(hidden, theirs["hidden1/slope"])
        values = torch.tanh(hidden * theirs["scale1/multiplier"] + inputs) + hidden
        output = values @ theirs["output/kernel"] + theirs["output/bias"]
        ((output[:, 0] - torch.tensor(data.train.labels[:10])) ** 2).mean().backward()
        for name, value in ours.items():
            np.testing.assert_allclose(value[lane], theirs[name].grad, rtol=1e-10, atol=1e-14)
