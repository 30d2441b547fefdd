"""What PyTorch's step does with a gradient, against closed forms and PyTorch's own classes."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from manyseeds.techniques import clipping as clippings
from manyseeds.techniques import optimizers as definition
from manyseeds.techniques.layers import Dense
from manyseeds.techniques.network import Network

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch.adaptive import optimizer  # noqa: E402
from manyseeds_pytorch.clipping import clipping, constraints  # noqa: E402
from manyseeds_pytorch.optimizers import Pace, Piece  # noqa: E402
from manyseeds_pytorch.penalties import Penalties  # noqa: E402

LANES, STEPS = 3, 25
SHAPES = [(LANES, 4, 5), (LANES, 1, 4)]


def random(seed=0):
    return np.random.default_rng(seed)


def tensors(seed, shapes=SHAPES):
    return [torch.tensor(random(seed).normal(size=shape)) for shape in shapes]


def made(name, **fields):
    return TypeAdapter(definition.Optimizer).validate_python({"name": name} | fields)


def piece(parameters, gradients=None, lanes=slice(None)):
    values = list(parameters)
    slopes = [torch.zeros_like(v) for v in values] if gradients is None else list(gradients)
    return Piece(lanes, range(len(slopes)), [values, slopes])


def spread(values):
    return values[:, None, None]


def stepped(wanted, gradients, rates, momenta=None, before=(), after=()):
    """Update parameters by given gradients, as a training loop does."""
    parameters = tensors(0)
    chosen = optimizer(wanted, parameters, before, after)
    assert not chosen.absorbs
    assert list(chosen.rooms) == [0, 1]
    for t, found in enumerate(gradients):
        momentum = None if momenta is None else spread(torch.tensor(momenta[t]))
        start = chosen.begin(Pace(spread(torch.tensor(rates[t])), momentum, rates[t]))
        np.testing.assert_array_equal(start, np.ones(LANES))
        for room, gradient in zip(chosen.rooms.values(), found, strict=True):
            room.copy_(gradient)
        chosen.step()
    return parameters


def some_gradients(steps=STEPS):
    return [tensors(100 + t) for t in range(steps)]


# ---------------------------------------------------------------- optimizers


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
    (made("adagrad", accumulator=0.3, epsilon=0.02), adagrad),
    (made("rmsprop", rho=0.8, epsilon=0.02), rmsprop),
    (made("rmsprop", rho=0.0, epsilon=0.02), rmsprop),
    (made("adam", beta1=0.8, beta2=0.95, epsilon=0.01), adam),
    (made("adamax", beta1=0.8, beta2=0.95, epsilon=0.02), adamax),
    (made("nadam", beta1=0.8, beta2=0.95, epsilon=0.01, decay=0.1), nadam),
    (made("nadam_keras3"), nadam),
    (made("nadam", beta1=0.0), nadam),
    (made("ftrl", l1=0.3, l2=0.2, accumulator=0.2), ftrl),
    (made("ftrl", l2=0.2, accumulator=0.2), ftrl),
]


@pytest.mark.parametrize(("wanted", "equation"), EQUATIONS, ids=lambda v: getattr(v, "name", ""))
@pytest.mark.parametrize("tile", [1, 1 << 20])
def test_optimizer_is_its_equation_with_a_rate_per_lane_and_step(
    wanted, equation, tile, monkeypatch
):
    monkeypatch.setattr("manyseeds_pytorch.device._TILE_BYTES", tile)
    rates = random(9).uniform(0.01, 0.3, (STEPS, LANES))
    gradients = some_gradients()
    found = stepped(wanted, gradients, rates)
    for place, (mine, first) in enumerate(zip(found, tensors(0), strict=True)):
        theta, kept = first.numpy(), {}
        for t in range(STEPS):
            g = gradients[t][place].numpy()
            theta = equation(wanted, theta, g, spread(rates[t]), t + 1, kept)
        np.testing.assert_allclose(mine, theta, rtol=1e-11, atol=1e-13)


TORCH = {
    "adagrad": (
        made("adagrad", epsilon=1e-3),
        # Epsilon inside the root is epsilon at the start of the sum.
        lambda p: torch.optim.Adagrad(p, lr=0.1, initial_accumulator_value=0.1 + 1e-3, eps=0),
    ),
    "adam": (made("adam"), lambda p: torch.optim.Adam(p, lr=0.1, eps=1e-7)),
    "nadam": (
        made("nadam"),
        lambda p: torch.optim.NAdam(p, lr=0.1, eps=1e-7, momentum_decay=0.004),
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_optimizer_is_torch_optim_at_one_rate(name):
    wanted, own = TORCH[name]
    theirs = [torch.nn.Parameter(value) for value in tensors(0)]
    library = own(theirs)
    for found in some_gradients():
        for parameter, gradient in zip(theirs, found, strict=True):
            parameter.grad = gradient.clone()
        library.step()
    mine = stepped(wanted, some_gradients(), np.full((STEPS, LANES), 0.1))
    # Their NAdam multiplies its momenta in float32.
    tolerance = 1e-8 if name == "nadam" else 1e-12
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(one, other.detach(), rtol=100 * tolerance, atol=tolerance)


def test_ftrl_makes_weights_exactly_zero():
    small = [[0.01 * g for g in found] for found in some_gradients()]
    found = stepped(made("ftrl", l1=1.0), small, np.full((STEPS, LANES), 0.1))
    assert all((value == 0).all() for value in found)


@pytest.mark.parametrize("name", ["sgd", "momentum"])
def test_absorbing_and_collecting_are_the_same(name):
    rates = random(9).uniform(0.01, 0.3, (STEPS, LANES))
    momenta = random(8).uniform(0.5, 0.9, (STEPS, LANES)) if name == "momentum" else None
    collected = stepped(made(name), some_gradients(), rates, momenta, before=[lambda *_: None])
    parameters = tensors(0)
    absorbing = optimizer(made(name), parameters)
    assert absorbing.absorbs
    for t, found in enumerate(some_gradients()):
        momentum = None if momenta is None else spread(torch.tensor(momenta[t]))
        start = absorbing.begin(Pace(spread(torch.tensor(rates[t])), momentum, rates[t]))
        for room, gradient in zip(absorbing.rooms.values(), found, strict=True):
            room.add_(gradient * spread(start))
        absorbing.step()
    for one, other in zip(collected, parameters, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


# ---------------------------------------------------------------- clipping

EXAMPLE = [0.9, 100.0]


def clipped(gradients, **fields):
    wanted = TypeAdapter(clippings.Clipping).validate_python(fields)
    (hook,) = clipping(wanted)
    found = [torch.tensor(gradient, dtype=torch.float64) for gradient in gradients]
    hook(piece([], found))
    return [value.numpy() for value in found]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clip_value", [0.9, 1.0]),
        ("clip_norm", [0.00899964, 0.9999595]),
        ("global_clip_norm", [0.00899964, 0.9999595]),
    ],
)
def test_clipping_is_the_chapters_example_in_every_lane(name, expected):
    small = [0.3, -0.4]
    (found,) = clipped([[[EXAMPLE], [small], [[0.0, 0.0]]]], name=name, limit=1.0)
    np.testing.assert_allclose(found[0, 0], expected, rtol=1e-6)
    np.testing.assert_array_equal(found[1:], [[small], [[0.0, 0.0]]])


def test_clip_norm_is_per_variable_and_global_clip_norm_is_not():
    gradients = [[[[3.0, 4.0]]], [[[0.0, 12.0]]]]
    one, other = clipped(gradients, name="clip_norm", limit=6.5)
    np.testing.assert_allclose([one[0, 0], other[0, 0]], [[3, 4], [0, 6.5]], rtol=1e-15)
    one, other = clipped(gradients, name="global_clip_norm", limit=6.5)
    np.testing.assert_allclose([one[0, 0], other[0, 0]], [[1.5, 2], [0, 6]], rtol=1e-15)


def test_global_clip_norm_of_one_lane_is_torch_nn_utils():
    gradients = tensors(3, [(1, 4, 5), (1, 1, 4)])
    parameters = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    torch.nn.utils.clip_grad_norm_(parameters, 0.5)
    for mine, theirs in zip(
        clipped([g.numpy() for g in gradients], name="global_clip_norm", limit=0.5),
        parameters,
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs.grad, rtol=1e-5)  # Theirs adds 1e-6 to the norm.


@pytest.mark.parametrize("name", ["clip_value", "clip_norm", "global_clip_norm"])
def test_a_nan_lane_is_clipped_alone(name):
    gradients = [value.numpy() for value in tensors(5)]
    sick = [value.copy() for value in gradients]
    sick[0][1] = np.nan
    for well, ill in zip(
        clipped(gradients, name=name, limit=0.1), clipped(sick, name=name, limit=0.1), strict=True
    ):
        np.testing.assert_array_equal(ill[[0, 2]], well[[0, 2]])


# ---------------------------------------------------------------- penalties and constraints


def a_network(**fields):
    layers = Dense(units=4, activation="relu", **fields), Dense(units=2, activation="softmax")
    return Network(name="n", layers=layers)


def some_weights():
    names = ("hidden1/kernel", "hidden1/bias", "output/kernel", "output/bias")
    shapes = [(LANES, 4, 5), (LANES, 1, 4), (LANES, 2, 4), (LANES, 1, 2)]
    found = dict(zip(names, tensors(1, shapes), strict=True))
    found["hidden1/kernel"][:, 0, 0] = 0.0
    return found


@pytest.mark.parametrize(
    ("penalty", "value", "slope"),
    [
        ({"name": "l1", "l1": 0.3}, lambda w: 0.3 * np.abs(w), lambda w: 0.3 * np.sign(w)),
        ({"name": "l2", "l2": 0.2}, lambda w: 0.2 * w * w, lambda w: 0.4 * w),
        (
            {"name": "l1_l2", "l1": 0.3, "l2": 0.2},
            lambda w: 0.3 * np.abs(w) + 0.2 * w * w,
            lambda w: 0.3 * np.sign(w) + 0.4 * w,
        ),
    ],
)
def test_penalty_is_its_closed_form_and_flat_at_zero(penalty, value, slope):
    weights = some_weights()
    found = Penalties(a_network(penalty=penalty), weights, weights)
    gradients = [torch.zeros_like(each) for each in weights.values()]
    (hook,) = found.hooks()
    hook(piece(weights.values(), gradients))
    kernel = weights["hidden1/kernel"].numpy()
    np.testing.assert_allclose(found.value, value(kernel).sum((1, 2)), rtol=1e-13)
    np.testing.assert_allclose(gradients[0], slope(kernel), rtol=1e-14)
    assert all((gradient == 0).all() for gradient in gradients[1:])
    assert (gradients[0][:, 0, 0] == 0).all()


def test_a_frozen_kernel_has_its_penalty_but_no_gradient():
    weights = some_weights()
    learning = {name: value for name, value in weights.items() if name.startswith("output")}
    found = Penalties(a_network(penalty="l2"), weights, learning)
    expected = 0.01 * (weights["hidden1/kernel"] ** 2).sum((1, 2))
    np.testing.assert_allclose(found.value, expected, rtol=1e-13)
    assert found.hooks() == []
    assert Penalties(a_network(), weights, weights).value is None


def test_max_norm_rescales_the_incoming_weights_of_each_unit():
    weights = some_weights()
    before = weights["hidden1/kernel"].numpy().copy()
    (hook,) = constraints(a_network(max_norm={"radius": 1.5}), weights, keep_zeros=False)
    hook(piece(weights.values()))
    norms = np.linalg.norm(before, axis=2, keepdims=True)
    assert (norms > 1.5).any()
    assert (norms < 1.5).any()
    after = weights["hidden1/kernel"].numpy()
    np.testing.assert_allclose(after, before * np.minimum(1, 1.5 / norms), rtol=1e-14)
    units = torch.renorm(torch.tensor(before).flatten(0, 1), 2, 0, 1.5).view(after.shape)
    np.testing.assert_allclose(after, units, rtol=1e-6)  # Theirs adds 1e-7 to the norm.


def test_zeros_are_put_back_in_kernels_alone():
    weights = some_weights()
    weights["hidden1/bias"][:] = 0.0
    (hook,) = constraints(a_network(), weights, keep_zeros=True)
    torch._foreach_add_(list(weights.values()), 1.0)
    hook(piece([value[1:3] for value in weights.values()], lanes=slice(1, 3)))
    kernel = weights["hidden1/kernel"].numpy()
    np.testing.assert_array_equal(kernel[:, 0, 0], [1, 0, 0])
    assert np.count_nonzero(kernel) == kernel.size - 2
    assert (weights["hidden1/bias"] == 1).all()
