"""PyTorch's activations against closed forms and PyTorch's own classes."""

import numpy as np
import pytest

from manyseeds.randomness import noise as reference
from manyseeds.techniques import activations
from manyseeds.techniques.layers import Dense

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch.activations import activate  # noqa: E402
from manyseeds_pytorch.layers import ForwardPass  # noqa: E402
from tests.backends.pytorch.closed_forms import FORMS  # noqa: E402
from tests.backends.pytorch.layer_toy import (  # noqa: E402
    BATCH,
    KEYS,
    LANES,
    UNITS,
    training,
    values,
    variable,
)

ALPHA = {"leaky_relu": {"alpha": 0.2}, "elu": {"alpha": 0.7}}
KINK = torch.tensor([-3.0, -0.5, -1e-9, -0.0, 0.0, 1e-9, 0.5, 3.0], dtype=torch.float64)


@pytest.mark.parametrize("name", FORMS)
def test_activation_and_derivative_are_the_closed_form_at_the_kink_too(name):
    dense = Dense(units=1, activation={"name": name} | ALPHA.get(name, {}))
    places = np.array([-3.0, -0.5, -1e-9, -0.0, 0.0, 1e-9, 0.5, 3.0])
    inputs = torch.tensor(places, requires_grad=True)
    outputs = activate(dense.activation, inputs, {}, ForwardPass())
    outputs.sum().backward()
    form, derivative = FORMS[name]
    np.testing.assert_allclose(outputs.detach().numpy(), form(places), rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(inputs.grad.numpy(), derivative(places), rtol=1e-14)


def leaky(z, slope):
    return np.where(z > 0, z, slope * z), np.where(z > 0, 1.0, slope)


def test_prelu_is_the_closed_form_at_the_kink_too():
    slope = variable(LANES, 1, len(KINK))
    inputs = KINK.expand(LANES, BATCH, -1).clone().requires_grad_()
    outputs = activate(activations.PRelu(), inputs, {"slope": slope}, ForwardPass(training=True))
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
    outputs = activate(activations.PRelu(), inputs, {"slope": slope}, ForwardPass(training=True))
    theirs = module(inputs[0])
    (outputs**2).sum().backward()
    (theirs**2).sum().backward()
    np.testing.assert_array_equal(outputs[0].detach(), theirs.detach())
    np.testing.assert_allclose(slope.grad[0, 0], module.weight.grad, rtol=1e-13)


@pytest.mark.parametrize("accumulate", [False, True])
def test_gradients_overwrite_the_buffers_or_accumulate_as_the_pass_says(accumulate):
    slope, inputs = variable(LANES, 1, UNITS), -values(LANES, BATCH, UNITS).abs()
    forward_pass = ForwardPass(training=True, accumulate=accumulate)
    outputs = activate(activations.PRelu(), inputs, {"slope": slope}, forward_pass)
    outputs.sum().backward()
    expected = inputs.sum(1, keepdim=True) + (3.0 if accumulate else 0.0)
    np.testing.assert_allclose(slope.grad, expected, rtol=1e-14)


def test_rrelu_takes_its_slopes_from_the_stream_and_their_mean_in_prediction():
    function = activations.RRelu(lower=0.1, upper=0.4)
    inputs = values(LANES, BATCH, UNITS, learned=True)
    outputs = activate(function, inputs, {}, training("h", step=9), "h")
    outputs.sum().backward()
    slopes = reference.slopes(KEYS, 9, BATCH, UNITS, 0.1, 0.4)
    expected, derivative = leaky(inputs.detach().numpy(), slopes)
    np.testing.assert_allclose(outputs.detach().numpy(), expected, rtol=1e-14)
    np.testing.assert_allclose(inputs.grad.numpy(), derivative, rtol=1e-14)
    mean, _ = leaky(inputs.detach().numpy(), 0.25)
    predicted = activate(function, inputs, {}, ForwardPass(), "h")
    np.testing.assert_allclose(predicted.detach().numpy(), mean, rtol=1e-14)


def test_rrelu_has_the_slope_of_its_negative_branch_at_zero():
    inputs = torch.zeros(LANES, BATCH, UNITS, dtype=torch.float64, requires_grad=True)
    activate(activations.RRelu(), inputs, {}, training("h"), "h").sum().backward()
    slopes = reference.slopes(KEYS, 4, BATCH, UNITS, 1 / 8, 1 / 3)
    np.testing.assert_allclose(inputs.grad.numpy(), slopes, rtol=1e-14)


def test_softplus_is_exact_beyond_the_default_threshold_of_pytorch():
    inputs = torch.tensor([-40.0, 0.0, 19.9, 20.1, 30.0, 49.9, 50.1], dtype=torch.float64)
    outputs = activate(activations.Softplus(), inputs, {}, ForwardPass())
    np.testing.assert_allclose(outputs, np.logaddexp(0, inputs.numpy()), rtol=1e-15)
