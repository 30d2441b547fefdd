"""PyTorch's layers over stacked lanes, against NumPy and PyTorch's own classes."""

import numpy as np
import pytest

from manyseeds.randomness import noise as reference
from manyseeds.techniques import layers
from manyseeds.techniques.layers import Dropout

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch.layers import ForwardPass, lane_layer  # noqa: E402
from manyseeds_pytorch.noise import GraphNoise, HostNoise  # noqa: E402
from tests.backends.pytorch.device_toy import CPU  # noqa: E402
from tests.backends.pytorch.layer_toy import (  # noqa: E402
    BATCH,
    KEYS,
    LANES,
    UNITS,
    training,
    values,
    variable,
)


def batch_norm_variables(lanes=LANES):
    variables = {name: variable(lanes, 1, UNITS) for name in ("gamma", "beta")}
    moving = {"moving_mean": values(lanes, 1, UNITS), "moving_variance": values(lanes, 1, UNITS)}
    return variables | {name: value.abs() for name, value in moving.items()}


@pytest.mark.parametrize("rows", [BATCH, 2])
def test_batch_norm_in_every_lane_is_torch_nn_batch_norm_1d(rows):
    layer = layers.BatchNorm(epsilon=1e-2)
    variables, inputs = batch_norm_variables(), values(LANES, rows, UNITS, learned=True)
    weight = values(LANES, rows, UNITS)
    outputs = lane_layer(layer, ())(inputs, variables, ForwardPass(training=True))
    (outputs * weight).sum().backward()
    for lane in range(LANES):
        module = torch.nn.BatchNorm1d(UNITS, eps=1e-2).double()
        with torch.no_grad():
            module.weight.copy_(variables["gamma"][lane, 0])
            module.bias.copy_(variables["beta"][lane, 0])
        alone = inputs[lane].detach().requires_grad_()
        theirs = module(alone)
        (theirs * weight[lane]).sum().backward()
        np.testing.assert_allclose(outputs[lane].detach(), theirs.detach(), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(inputs.grad[lane], alone.grad, rtol=1e-10, atol=1e-12)
        for name, theirs in (("gamma", module.weight), ("beta", module.bias)):
            np.testing.assert_allclose(variables[name].grad[lane, 0], theirs.grad, rtol=1e-11)


@pytest.mark.parametrize("rows", [BATCH, 2])
def test_moving_averages_are_of_the_biased_variance(rows):
    variables, inputs = batch_norm_variables(), values(LANES, rows, UNITS)
    before = {name: value.clone() for name, value in variables.items()}
    lane_layer(layers.BatchNorm(momentum=0.9), ())(
        inputs, variables, ForwardPass(training=True, update_averages=True)
    )
    for name, statistic in (("mean", inputs.mean(1)), ("variance", inputs.var(1, correction=0))):
        expected = 0.9 * before[f"moving_{name}"][:, 0] + 0.1 * statistic
        np.testing.assert_allclose(variables[f"moving_{name}"][:, 0], expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("frozen", "forward_pass"),
    [
        ((), ForwardPass()),
        (("n",), ForwardPass(training=True, update_averages=True)),
        ((), ForwardPass(dropout=True)),
    ],
)
def test_batch_norm_uses_its_averages_in_prediction_and_where_frozen(frozen, forward_pass):
    variables, inputs = batch_norm_variables(), values(LANES, BATCH, UNITS, learned=True)
    before = {name: value.detach().clone() for name, value in variables.items()}
    outputs = lane_layer(layers.BatchNorm(label="n", epsilon=0.3), frozen)(
        inputs, variables, forward_pass
    )
    outputs.sum().backward()
    scale = before["gamma"] / torch.sqrt(before["moving_variance"] + 0.3)
    expected = (inputs.detach() - before["moving_mean"]) * scale + before["beta"]
    np.testing.assert_allclose(outputs.detach(), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(inputs.grad, scale.expand_as(inputs), rtol=1e-13)
    for name in ("moving_mean", "moving_variance"):
        np.testing.assert_array_equal(variables[name], before[name])


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.999])
def test_dropout_keeps_the_elements_of_the_definition(rate):
    keys = np.random.default_rng(4).integers(0, 2**32, (3, 2), dtype=np.uint32)
    expected = reference.kept(keys, 9, 4, 11, rate) * reference.keep_scale(rate)
    layer, ones = lane_layer(Dropout(label="d", rate=rate), ()), torch.ones(3, 4, 11).double()
    for noise in (HostNoise(keys, CPU), GraphNoise(keys, CPU)):
        outputs = layer(ones, {}, ForwardPass(dropout=True, noise={"d": noise}, step=9))
        np.testing.assert_array_equal(outputs.numpy(), expected)


def test_white_noise_adds_normals_in_training_only():
    layer = lane_layer(layers.GaussianNoise(label="w", sd=0.3), ())
    inputs = values(LANES, BATCH, UNITS)
    normals = reference.normals(KEYS, 4, BATCH * UNITS).reshape(LANES, BATCH, UNITS)
    outputs = layer(inputs, {}, training("w"))
    np.testing.assert_allclose(outputs, inputs.numpy() + 0.3 * normals, rtol=1e-13)
    assert layer(inputs, {}, ForwardPass(dropout=True)) is inputs


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_alpha_dropout_is_the_definition(rate):
    layer = lane_layer(layers.AlphaDropout(label="d", rate=rate), ())
    inputs = values(LANES, BATCH, UNITS, learned=True)
    outputs = layer(inputs, {}, training("d"))
    outputs.sum().backward()
    mask = reference.kept(KEYS, 4, BATCH, UNITS, rate)
    a, b = reference.alpha_affine(rate)
    expected = a * np.where(mask, inputs.detach().numpy(), reference.SELU_FLOOR) + b
    # Where a x + b is near 0, the rounding of numbers near 1 remains.
    np.testing.assert_allclose(outputs.detach().numpy(), expected, rtol=1e-13, atol=4e-16)
    np.testing.assert_allclose(inputs.grad.numpy(), a * mask, rtol=1e-14)
    assert layer(inputs, {}, ForwardPass(training=True)) is inputs


def test_alpha_dropout_keeps_mean_and_variance():
    layer = lane_layer(layers.AlphaDropout(label="d", rate=0.3), ())
    outputs = layer(values(LANES, 400, 300), {}, training("d"))
    assert outputs.mean().item() == pytest.approx(0, abs=0.01)
    assert outputs.std().item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("tile", [1, 1 << 20])
def test_drop_connect_drops_the_weights_of_the_definition(accumulate, bias, tile, monkeypatch):
    monkeypatch.setattr("manyseeds_pytorch.lanes._TILE_BYTES", tile)
    fan_in, rate = 4, 0.3
    layer = layers.Dense(label="h", units=UNITS, drop_connect={"rate": rate})
    variables = {"kernel": variable(LANES, UNITS, fan_in)}
    variables |= {"bias": variable(LANES, 1, UNITS)} if bias else {}
    inputs, weight = values(LANES, BATCH, fan_in, learned=True), values(LANES, BATCH, UNITS)
    outputs = lane_layer(layer, ())(inputs, variables, training("h/kernel", accumulate=accumulate))
    (outputs * weight).sum().backward()

    mask = torch.tensor(reference.kept(KEYS, 4, fan_in, UNITS, rate) * reference.keep_scale(rate))
    plain = {name: value.detach().clone().requires_grad_() for name, value in variables.items()}
    alone = inputs.detach().clone().requires_grad_()
    expected = alone @ (plain["kernel"].mT * mask) + plain.get("bias", 0)
    (expected * weight).sum().backward()
    np.testing.assert_allclose(outputs.detach(), expected.detach(), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(inputs.grad, alone.grad, rtol=1e-12, atol=1e-13)
    for name, value in plain.items():
        gradient = variables[name].grad - (3.0 if accumulate else 0.0)
        np.testing.assert_allclose(gradient, value.grad, rtol=1e-12, atol=1e-13)


def test_drop_connect_drops_no_weights_in_prediction():
    variables = {"kernel": values(LANES, UNITS, 4)}
    inputs = values(LANES, BATCH, 4)
    dropping = lane_layer(layers.Dense(label="h", units=UNITS, drop_connect={"rate": 0.5}), ())
    plain = lane_layer(layers.Dense(label="h", units=UNITS), ())
    for forward_pass in (ForwardPass(), ForwardPass(dropout=True)):
        np.testing.assert_array_equal(
            dropping(inputs, variables, forward_pass), plain(inputs, variables, forward_pass)
        )


def test_scale_multiplies_and_skip_adds():
    inputs, other = values(LANES, BATCH, UNITS), values(LANES, BATCH, UNITS)
    multiplier = variable(LANES, 1, 1)
    scaled = lane_layer(layers.Scale(), ())(
        inputs, {"multiplier": multiplier}, ForwardPass(training=True)
    )
    scaled.sum().backward()
    np.testing.assert_allclose(multiplier.grad, inputs.sum((1, 2), keepdim=True), rtol=1e-12)
    skip = lane_layer(layers.Skip(of="below"), ())
    np.testing.assert_array_equal(
        skip(inputs, {}, ForwardPass(outputs={"below": other})), inputs + other
    )
