"""PyTorch's layers over stacked lanes, against closed forms, NumPy and PyTorch's plain classes."""

import numpy as np
import pytest

from manyseeds.randomness import noise as reference
from manyseeds.techniques import activations, augmentation, layers

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch.activations import activation  # noqa: E402
from manyseeds_pytorch.augmentation import augmented, on_device  # noqa: E402
from manyseeds_pytorch.device import Placement  # noqa: E402
from manyseeds_pytorch.layers import layer_of  # noqa: E402
from manyseeds_pytorch.noise import GraphNoise, HostNoise, network_noise  # noqa: E402
from manyseeds_pytorch.run import Run  # noqa: E402

LANES, BATCH, UNITS = 3, 5, 7
DOUBLE = Placement(torch.device("cpu"), torch.float64, 1)
RANDOM = np.random.default_rng(7)
KEYS = RANDOM.integers(0, 2**32, (LANES, 2), dtype=np.uint32)


def values(*shape, learned=False):
    return torch.tensor(RANDOM.normal(size=shape), requires_grad=learned)


def training(*labels, step=4, **fields):
    noise = network_noise(dict.fromkeys(labels, KEYS), DOUBLE)
    return Run(training=True, dropping=True, noise=noise, step=step, **fields)


def variable(*shape):
    """A variable with the room for its gradient, in which rubbish stands."""
    made = values(*shape, learned=True)
    made.grad = torch.full_like(made, 3.0)
    return made


# ---------------------------------------------------------------- activations

KINK = torch.tensor([-3.0, -0.5, -1e-9, -0.0, 0.0, 1e-9, 0.5, 3.0], dtype=torch.float64)


def leaky(z, slope):
    return np.where(z > 0, z, slope * z), np.where(z > 0, 1.0, slope)


def test_prelu_is_the_closed_form_at_the_kink_too():
    slope = variable(LANES, 1, len(KINK))
    inputs = KINK.expand(LANES, BATCH, -1).clone().requires_grad_()
    outputs = activation(activations.PRelu())(inputs, {"slope": slope}, Run(training=True))
    weight = values(LANES, BATCH, len(KINK))
    (outputs * weight).sum().backward()
    expected, derivative = leaky(inputs.detach().numpy(), slope.detach().numpy())
    np.testing.assert_allclose(outputs.detach().numpy(), expected, rtol=1e-15)
    np.testing.assert_allclose(inputs.grad.numpy(), derivative * weight.numpy(), rtol=1e-15)
    below = np.minimum(KINK.numpy(), 0) * weight.numpy()
    np.testing.assert_allclose(slope.grad.numpy(), below.sum(1, keepdims=True), rtol=1e-14)


def test_prelu_of_one_lane_is_torch_nn_prelu():
    slope, inputs = variable(1, 1, UNITS), values(1, BATCH, UNITS)
    module = torch.nn.PReLU(UNITS).double()
    with torch.no_grad():
        module.weight.copy_(slope[0, 0])
    outputs = activation(activations.PRelu())(inputs, {"slope": slope}, Run(training=True))
    theirs = module(inputs[0])
    (outputs**2).sum().backward()
    (theirs**2).sum().backward()
    np.testing.assert_array_equal(outputs[0].detach(), theirs.detach())
    np.testing.assert_allclose(slope.grad[0, 0], module.weight.grad, rtol=1e-13)


@pytest.mark.parametrize("keep", [False, True])
def test_gradients_are_written_or_added_as_the_run_says(keep):
    slope, inputs = variable(LANES, 1, UNITS), -values(LANES, BATCH, UNITS).abs()
    outputs = activation(activations.PRelu())(
        inputs, {"slope": slope}, Run(training=True, keep=keep)
    )
    outputs.sum().backward()
    expected = inputs.sum(1, keepdim=True) + (3.0 if keep else 0.0)
    np.testing.assert_allclose(slope.grad, expected, rtol=1e-14)


def test_rrelu_takes_its_slopes_from_the_stream_and_their_mean_in_prediction():
    function = activations.RRelu(lower=0.1, upper=0.4)
    made = activation(function, "h")
    inputs = values(LANES, BATCH, UNITS, learned=True)
    outputs = made(inputs, {}, training("h", step=9))
    outputs.sum().backward()
    slopes = reference.slopes(KEYS, 9, BATCH, UNITS, 0.1, 0.4)
    expected, derivative = leaky(inputs.detach().numpy(), slopes)
    np.testing.assert_allclose(outputs.detach().numpy(), expected, rtol=1e-14)
    np.testing.assert_allclose(inputs.grad.numpy(), derivative, rtol=1e-14)
    mean, _ = leaky(inputs.detach().numpy(), 0.25)
    np.testing.assert_allclose(made(inputs, {}, Run()).detach().numpy(), mean, rtol=1e-14)


def test_rrelu_has_the_slope_at_zero():
    inputs = torch.zeros(LANES, BATCH, UNITS, dtype=torch.float64, requires_grad=True)
    activation(activations.RRelu(), "h")(inputs, {}, training("h")).sum().backward()
    slopes = reference.slopes(KEYS, 4, BATCH, UNITS, 1 / 8, 1 / 3)
    np.testing.assert_allclose(inputs.grad.numpy(), slopes, rtol=1e-14)


def test_softplus_is_exact_where_torch_takes_a_shortcut():
    inputs = torch.tensor([-40.0, 0.0, 19.9, 20.1, 30.0, 49.9, 50.1], dtype=torch.float64)
    outputs = activation(activations.Softplus())(inputs, {}, Run())
    np.testing.assert_allclose(outputs, np.logaddexp(0, inputs.numpy()), rtol=1e-15)


# ---------------------------------------------------------------- batch normalisation


def batch_norm_variables(lanes=LANES):
    made = {name: variable(lanes, 1, UNITS) for name in ("gamma", "beta")}
    moving = {"moving_mean": values(lanes, 1, UNITS), "moving_variance": values(lanes, 1, UNITS)}
    return made | {name: value.abs() for name, value in moving.items()}


@pytest.mark.parametrize("rows", [BATCH, 2])
def test_batch_norm_in_every_lane_is_torch_nn_batch_norm_1d(rows):
    wanted = layers.BatchNorm(epsilon=1e-2)
    variables, inputs = batch_norm_variables(), values(LANES, rows, UNITS, learned=True)
    weight = values(LANES, rows, UNITS)
    outputs = layer_of(wanted, ())(inputs, variables, Run(training=True))
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
    layer_of(layers.BatchNorm(momentum=0.9), ())(inputs, variables, Run(training=True, moving=True))
    for name, found in (("mean", inputs.mean(1)), ("variance", inputs.var(1, correction=0))):
        expected = 0.9 * before[f"moving_{name}"][:, 0] + 0.1 * found
        np.testing.assert_allclose(variables[f"moving_{name}"][:, 0], expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("frozen", "run"),
    [((), Run()), (("n",), Run(training=True, moving=True)), ((), Run(dropping=True))],
)
def test_batch_norm_uses_its_averages_in_prediction_and_where_frozen(frozen, run):
    variables, inputs = batch_norm_variables(), values(LANES, BATCH, UNITS, learned=True)
    before = {name: value.detach().clone() for name, value in variables.items()}
    outputs = layer_of(layers.BatchNorm(label="n", epsilon=0.3), frozen)(inputs, variables, run)
    outputs.sum().backward()
    scale = before["gamma"] / torch.sqrt(before["moving_variance"] + 0.3)
    expected = (inputs.detach() - before["moving_mean"]) * scale + before["beta"]
    np.testing.assert_allclose(outputs.detach(), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(inputs.grad, scale.expand_as(inputs), rtol=1e-13)
    for name in ("moving_mean", "moving_variance"):
        np.testing.assert_array_equal(variables[name], before[name])


# ---------------------------------------------------------------- noise


@pytest.mark.parametrize("elements", [1, 2, 5, 800])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normals_and_fractions_are_the_definition(elements, dtype):
    where = Placement(torch.device("cpu"), getattr(torch, dtype), 1)
    expected = reference.normals(KEYS, 6, elements, dtype)
    slopes = reference.slopes(KEYS, 6, 1, elements, 0.0, 1.0)[:, 0]
    tolerance = 1e-14 if dtype == "float64" else 2e-6
    for noise in (HostNoise(KEYS, where), GraphNoise(KEYS, where)):
        found = noise.normals(6, elements)
        assert str(found.dtype) == f"torch.{dtype}"
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(noise.fractions(6, elements), slopes, rtol=1e-7)


def test_white_noise_adds_normals_in_training_only():
    layer = layer_of(layers.GaussianNoise(label="w", sd=0.3), ())
    inputs = values(LANES, BATCH, UNITS)
    normals = reference.normals(KEYS, 4, BATCH * UNITS).reshape(LANES, BATCH, UNITS)
    found = layer(inputs, {}, training("w"))
    np.testing.assert_allclose(found, inputs.numpy() + 0.3 * normals, rtol=1e-13)
    assert layer(inputs, {}, Run(dropping=True)) is inputs


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_alpha_dropout_is_the_definition(rate):
    layer = layer_of(layers.AlphaDropout(label="d", rate=rate), ())
    inputs = values(LANES, BATCH, UNITS, learned=True)
    outputs = layer(inputs, {}, training("d"))
    outputs.sum().backward()
    kept = reference.kept(KEYS, 4, BATCH, UNITS, rate)
    a, b = reference.alpha_affine(rate)
    expected = a * np.where(kept, inputs.detach().numpy(), reference.SELU_FLOOR) + b
    # Where a x + b is near 0, what is left is the rounding of numbers near 1.
    np.testing.assert_allclose(outputs.detach().numpy(), expected, rtol=1e-13, atol=4e-16)
    np.testing.assert_allclose(inputs.grad.numpy(), a * kept, rtol=1e-14)
    assert layer(inputs, {}, Run(training=True)) is inputs


def test_alpha_dropout_keeps_mean_and_variance():
    layer = layer_of(layers.AlphaDropout(label="d", rate=0.3), ())
    outputs = layer(values(LANES, 400, 300), {}, training("d"))
    assert outputs.mean().item() == pytest.approx(0, abs=0.01)
    assert outputs.std().item() == pytest.approx(1, abs=0.01)


# ---------------------------------------------------------------- drop connect, skip, scale


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (8, 16), (17, 24), (40, 30)])
def test_what_stays_of_a_matrix_is_the_definitions_transposed(shape):
    where = Placement(torch.device("cpu"), torch.float64, 1)
    expected = reference.kept(KEYS, 6, *shape, 0.3).swapaxes(1, 2)
    for noise in (HostNoise(KEYS, where), GraphNoise(KEYS, where)):
        found = noise.kept_transposed(6, shape, reference.threshold(0.3))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("tile", [1, 1 << 20])
def test_drop_connect_drops_the_weights_the_stream_says(keep, bias, tile, monkeypatch):
    monkeypatch.setattr("manyseeds_pytorch.device._TILE_BYTES", tile)
    fan_in, rate = 4, 0.3
    wanted = layers.Dense(label="h", units=UNITS, drop_connect={"rate": rate})
    variables = {"kernel": variable(LANES, UNITS, fan_in)}
    variables |= {"bias": variable(LANES, 1, UNITS)} if bias else {}
    inputs, weight = values(LANES, BATCH, fan_in, learned=True), values(LANES, BATCH, UNITS)
    outputs = layer_of(wanted, ())(inputs, variables, training("h/kernel", keep=keep))
    (outputs * weight).sum().backward()

    mask = torch.tensor(reference.kept(KEYS, 4, fan_in, UNITS, rate) * reference.keep_scale(rate))
    plain = {name: value.detach().clone().requires_grad_() for name, value in variables.items()}
    alone = inputs.detach().clone().requires_grad_()
    expected = alone @ (plain["kernel"].mT * mask) + plain.get("bias", 0)
    (expected * weight).sum().backward()
    np.testing.assert_allclose(outputs.detach(), expected.detach(), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(inputs.grad, alone.grad, rtol=1e-12, atol=1e-13)
    for name, value in plain.items():
        found = variables[name].grad - (3.0 if keep else 0.0)
        np.testing.assert_allclose(found, value.grad, rtol=1e-12, atol=1e-13)


def test_nothing_is_dropped_from_a_kernel_in_prediction():
    variables = {"kernel": values(LANES, UNITS, 4)}
    inputs = values(LANES, BATCH, 4)
    dropping = layer_of(layers.Dense(label="h", units=UNITS, drop_connect={"rate": 0.5}), ())
    plain = layer_of(layers.Dense(label="h", units=UNITS), ())
    for run in (Run(), Run(dropping=True)):
        np.testing.assert_array_equal(
            dropping(inputs, variables, run), plain(inputs, variables, run)
        )


def test_scale_and_skip():
    inputs, other = values(LANES, BATCH, UNITS), values(LANES, BATCH, UNITS)
    multiplier = variable(LANES, 1, 1)
    scaled = layer_of(layers.Scale(), ())(inputs, {"multiplier": multiplier}, Run(training=True))
    scaled.sum().backward()
    np.testing.assert_allclose(multiplier.grad, inputs.sum((1, 2), keepdim=True), rtol=1e-12)
    skip = layer_of(layers.Skip(of="below"), ())
    np.testing.assert_array_equal(skip(inputs, {}, Run(seen={"below": other})), inputs + other)


# ---------------------------------------------------------------- augmentation

KINDS = [
    [{"name": "shift", "pixels": 3.0}],
    ["rotate"],
    ["resize"],
    ["crop"],
    [{"name": "horizontal_flip", "probability": 1.0}],
    ["contrast", "brightness"],
    ["shift", "rotate", "resize", "crop", "horizontal_flip", "contrast", "brightness"],
]


@pytest.mark.parametrize("kinds", KINDS, ids=len)
@pytest.mark.parametrize("side", [1, 2, 8, 9])
def test_augmented_images_are_the_definition(kinds, side):
    from pydantic import TypeAdapter

    wanted = TypeAdapter(list[augmentation.Augmentation]).validate_python(kinds)
    drawn = [
        augmentation.draw_changes(wanted, np.random.default_rng(lane), BATCH, (side, side))
        for lane in range(LANES)
    ]
    changes = augmentation.Changes(
        *(np.stack([getattr(each, n) for each in drawn]) for n in ("affine", "gain", "offset"))
    )
    images = RANDOM.uniform(size=(LANES, BATCH, side, side))
    found = augmented(torch.tensor(images).flatten(2), on_device(changes, DOUBLE))
    expected = [augmentation.augmented(images[lane], drawn[lane]) for lane in range(LANES)]
    np.testing.assert_allclose(found, np.reshape(expected, found.shape), rtol=1e-10, atol=1e-12)
