"""PyTorch's optimizers against their equations and `torch.optim`."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from manyseeds.techniques import optimizers as definition

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch.optimizers import lane_optimizer  # noqa: E402
from manyseeds_pytorch.optimizers_base import StepRate  # noqa: E402
from tests.backends.pytorch.tile_toy import LANES, tensors  # noqa: E402

STEPS = 25


def optimizer_of(name, **fields):
    return TypeAdapter(definition.Optimizer).validate_python({"name": name} | fields)


def spread(values):
    return values[:, None, None]


def stepped(technique, gradients, rates, momenta=None, before=(), after=()):
    """Return parameters after the updates of a training loop with these gradients."""
    parameters = tensors(0)
    optimizer = lane_optimizer(technique, parameters, before, after)
    assert not optimizer.in_backward
    assert list(optimizer.gradient_buffers) == [0, 1]
    for t, step_gradients in enumerate(gradients):
        momentum = None if momenta is None else spread(torch.tensor(momenta[t]))
        start = optimizer.begin_step(StepRate(spread(torch.tensor(rates[t])), momentum, rates[t]))
        np.testing.assert_array_equal(start, np.ones(LANES))
        for buffer, gradient in zip(
            optimizer.gradient_buffers.values(), step_gradients, strict=True
        ):
            buffer.copy_(gradient)
        optimizer.step()
    return parameters


def some_gradients(steps=STEPS):
    return [tensors(100 + t) for t in range(steps)]


def adagrad(w, theta, g, eta, t, s):
    s["s"] = s.get("s", w.accumulator) + g * g
    return theta - eta * g / np.sqrt(s["s"] + w.epsilon)


def rmsprop(w, theta, g, eta, t, s):
    s["s"] = w.rho * s.get("s", 0) + (1 - w.rho) * g * g
    return theta - eta * g / np.sqrt(s["s"] + w.epsilon)


def first_moment(w, g, s):
    s["m"] = w.beta1 * s.get("m", 0) + (1 - w.beta1) * g
    return s["m"]


def second_moment(w, g, t, s):
    s["s"] = w.beta2 * s.get("s", 0) + (1 - w.beta2) * g * g
    return s["s"] / (1 - w.beta2**t)


def adam(w, theta, g, eta, t, s):
    m = first_moment(w, g, s) / (1 - w.beta1**t)
    return theta - eta * m / (np.sqrt(second_moment(w, g, t, s)) + w.epsilon)


def adamax(w, theta, g, eta, t, s):
    m = first_moment(w, g, s)
    s["u"] = np.maximum(w.beta2 * s.get("u", 0), np.abs(g))
    return theta - eta * m / ((1 - w.beta1**t) * (s["u"] + w.epsilon))


def nadam(w, theta, g, eta, t, s):
    def mu(k):
        return w.beta1 * (1 - 0.96 ** (w.decay * k) / 2)

    m = first_moment(w, g, s)
    product = np.prod([mu(k) for k in range(1, t + 1)])
    m_hat = mu(t + 1) * m / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
    return theta - eta * m_hat / (np.sqrt(second_moment(w, g, t, s)) + w.epsilon)


def ftrl(w, theta, g, eta, t, s):
    n = s.get("n", w.accumulator)
    s["n"] = n + g * g
    s["z"] = s.get("z", 0) + g - (np.sqrt(s["n"]) - np.sqrt(n)) * theta / eta
    top = np.clip(s["z"], -w.l1, w.l1) - s["z"]
    return top / (np.sqrt(s["n"]) / eta + 2 * w.l2)


EQUATIONS = [
    (optimizer_of("adagrad", accumulator=0.3, epsilon=0.02), adagrad),
    (optimizer_of("rmsprop", rho=0.8, epsilon=0.02), rmsprop),
    (optimizer_of("rmsprop", rho=0.0, epsilon=0.02), rmsprop),
    (optimizer_of("adam", beta1=0.8, beta2=0.95, epsilon=0.01), adam),
    (optimizer_of("adamax", beta1=0.8, beta2=0.95, epsilon=0.02), adamax),
    (optimizer_of("nadam", beta1=0.8, beta2=0.95, epsilon=0.01, decay=0.1), nadam),
    (optimizer_of("nadam_keras3"), nadam),
    (optimizer_of("nadam", beta1=0.0), nadam),
    (optimizer_of("ftrl", l1=0.3, l2=0.2, accumulator=0.2), ftrl),
    (optimizer_of("ftrl", l2=0.2, accumulator=0.2), ftrl),
]


@pytest.mark.parametrize(("technique", "equation"), EQUATIONS, ids=lambda v: getattr(v, "name", ""))
@pytest.mark.parametrize("tile", [1, 1 << 20])
def test_optimizer_is_its_equation_with_a_rate_per_lane_and_step(
    technique, equation, tile, monkeypatch
):
    monkeypatch.setattr("manyseeds_pytorch.lanes._TILE_BYTES", tile)
    rates = np.random.default_rng(9).uniform(0.01, 0.3, (STEPS, LANES))
    gradients = some_gradients()
    parameters = stepped(technique, gradients, rates)
    for place, (mine, first) in enumerate(zip(parameters, tensors(0), strict=True)):
        theta, state = first.numpy(), {}
        for t in range(STEPS):
            g = gradients[t][place].numpy()
            theta = equation(technique, theta, g, spread(rates[t]), t + 1, state)
        np.testing.assert_allclose(mine, theta, rtol=1e-11, atol=1e-13)


TORCH = {
    "adagrad": (
        optimizer_of("adagrad", epsilon=1e-3),
        # Epsilon inside the root is epsilon at the start of the sum.
        lambda p: torch.optim.Adagrad(p, lr=0.1, initial_accumulator_value=0.1 + 1e-3, eps=0),
    ),
    "adam": (optimizer_of("adam"), lambda p: torch.optim.Adam(p, lr=0.1, eps=1e-7)),
    "nadam": (
        optimizer_of("nadam"),
        lambda p: torch.optim.NAdam(p, lr=0.1, eps=1e-7, momentum_decay=0.004),
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_optimizer_is_torch_optim_at_one_rate(name):
    technique, own = TORCH[name]
    theirs = [torch.nn.Parameter(value) for value in tensors(0)]
    library = own(theirs)
    for step_gradients in some_gradients():
        for parameter, gradient in zip(theirs, step_gradients, strict=True):
            parameter.grad = gradient.clone()
        library.step()
    mine = stepped(technique, some_gradients(), np.full((STEPS, LANES), 0.1))
    # Their NAdam multiplies its momenta in float32.
    tolerance = 1e-8 if name == "nadam" else 1e-12
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(one, other.detach(), rtol=100 * tolerance, atol=tolerance)


def test_ftrl_makes_weights_exactly_zero():
    small = [[0.01 * g for g in step_gradients] for step_gradients in some_gradients()]
    parameters = stepped(optimizer_of("ftrl", l1=1.0), small, np.full((STEPS, LANES), 0.1))
    assert all((value == 0).all() for value in parameters)


@pytest.mark.parametrize("name", ["sgd", "momentum"])
def test_an_update_in_the_backward_pass_is_the_update_after_it(name):
    rates = np.random.default_rng(9).uniform(0.01, 0.3, (STEPS, LANES))
    momenta = (
        np.random.default_rng(8).uniform(0.5, 0.9, (STEPS, LANES)) if name == "momentum" else None
    )
    after = stepped(optimizer_of(name), some_gradients(), rates, momenta, before=[lambda *_: None])
    parameters = tensors(0)
    in_backward = lane_optimizer(optimizer_of(name), parameters)
    assert in_backward.in_backward
    for t, step_gradients in enumerate(some_gradients()):
        momentum = None if momenta is None else spread(torch.tensor(momenta[t]))
        start = in_backward.begin_step(StepRate(spread(torch.tensor(rates[t])), momentum, rates[t]))
        for buffer, gradient in zip(
            in_backward.gradient_buffers.values(), step_gradients, strict=True
        ):
            buffer.add_(gradient * spread(start))
        in_backward.step()
    for one, other in zip(after, parameters, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)
