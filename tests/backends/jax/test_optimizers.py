"""The JAX wing's optimizers against NumPy, Flax with Optax, and PyTorch."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from manyseeds.techniques.network_streams import initial_weights
from manyseeds_jax import optimizers
from tests.backends.jax.toy import (
    BATCH,
    FEATURES,
    LINEAR_MODEL,
    PLAIN,
    ROWS,
    SMALL,
    STEPS,
    distance,
    examples,
    phase,
    plan,
    started,
    trained,
)

BETAS = {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}


TABLES = {
    "sgd": {},
    "momentum": {},
    "nesterov": {},
    "adam": BETAS,
    "adagrad": {"accumulator": 0.2, "epsilon": 1e-3},
    "rmsprop": {"rho": 0.8, "epsilon": 1e-3},
    "adamax": BETAS,
    "nadam": BETAS | {"decay": 0.1},
    "nadam_keras3": BETAS,
    "ftrl": {"l1": 0.3, "l2": 0.2, "accumulator": 0.4},
}


def numpy_update(kind, theta, memory, gradient, rate, momentum, step):
    """Return the weights and the memory after one step of the canonical equation."""
    if kind == "sgd":
        return theta - rate * gradient, memory
    if kind in ("momentum", "nesterov"):
        velocity = momentum * memory.get("m", 0) - rate * gradient
        ahead = momentum * velocity - rate * gradient
        return theta + (ahead if kind == "nesterov" else velocity), {"m": velocity}
    if kind == "ftrl":
        n = memory.get("n", 0.4)
        after = n + gradient**2
        z = memory.get("z", 0) + gradient - (np.sqrt(after) - np.sqrt(n)) * theta / rate
        theta = (np.clip(z, -0.3, 0.3) - z) / (np.sqrt(after) / rate + 2 * 0.2)
        return theta, {"n": after, "z": z}
    scaled, memory = numpy_scaling(kind, memory, gradient, step)
    return theta - rate * scaled, memory


def numpy_scaling(kind, memory, gradient, step):
    """Return the adaptive methods' scaled gradient and their memory."""
    if kind == "adagrad":
        s = memory.get("s", 0.2) + gradient**2
        return gradient / np.sqrt(s + 1e-3), {"s": s}
    if kind == "rmsprop":
        s = 0.8 * memory.get("s", 0) + 0.2 * gradient**2
        return gradient / np.sqrt(s + 1e-3), {"s": s}
    m = 0.8 * memory.get("m", 0) + 0.2 * gradient
    if kind == "adamax":
        u = np.maximum(0.95 * memory.get("u", 0), np.abs(gradient))
        return m / ((1 - 0.8**step) * (u + 1e-3)), {"m": m, "u": u}
    s = 0.95 * memory.get("s", 0) + 0.05 * gradient**2
    mean, memory = m / (1 - 0.8**step), {"m": m, "s": s}
    if kind.startswith("nadam"):
        decay = 0.1 if kind == "nadam" else 1.0
        momenta = 0.8 * (1 - 0.96 ** (decay * np.arange(1, step + 2)) / 2)
        now, ahead = np.prod(momenta[:-1]), np.prod(momenta)
        mean = momenta[-1] * m / (1 - ahead) + (1 - momenta[-2]) * gradient / (1 - now)
    return mean / (np.sqrt(s / (1 - 0.95**step)) + 1e-3), memory


def numpy_linear(data, kind, weights, order, rate, momentum):
    """Return the weights of x W + b, trained by hand on the mean squared error."""
    theta = np.append(weights["output/kernel"][:, 0], weights["output/bias"])
    memory = {}
    for step in range(order.size // ROWS * STEPS):
        epoch, batch = divmod(step, STEPS)
        rows = order[epoch][batch * BATCH : (batch + 1) * BATCH]
        inputs = np.column_stack([data.train.inputs[rows], np.ones(len(rows))])
        gradient = 2 * inputs.T @ (inputs @ theta - data.train.labels[rows]) / len(rows)
        theta, memory = numpy_update(
            kind, theta, memory, gradient, rate[step], momentum[step], step + 1
        )
    return theta


@pytest.mark.parametrize("kind", TABLES)
def test_optimizer_is_the_canonical_equation_under_rates_that_change(double, kind):
    seeds, epochs = [3, 4], 8
    data = examples(LINEAR_MODEL)
    generator = np.random.default_rng(1)
    rates = generator.uniform(0.005, 0.05, (2, epochs * STEPS))
    momenta = generator.uniform(0.5, 0.95, (2, epochs * STEPS))
    cohort = started(
        double, LINEAR_MODEL, seeds=seeds, data=data, optimizer={"name": kind} | TABLES[kind]
    )
    first, orders = initial_weights(LINEAR_MODEL, FEATURES, seeds), []
    for epoch in range(epochs):
        columns = slice(epoch * STEPS, (epoch + 1) * STEPS)
        steps = plan(LINEAR_MODEL, seeds, epoch, rates[:, columns], momenta[:, columns])
        orders.append(steps.order)
        cohort.train(steps)
    ended = cohort.weights()
    for lane in range(2):
        lane_first = {name: value[lane] for name, value in first.items()}
        order = np.stack([order[lane] for order in orders])
        theta = numpy_linear(data, kind, lane_first, order, rates[lane], momenta[lane])
        ours = np.append(ended["output/kernel"][lane, :, 0], ended["output/bias"][lane])
        np.testing.assert_allclose(ours, theta, rtol=1e-11)


OPTAX = {
    "sgd": ({"name": "sgd"}, optax.sgd(0.1)),
    "momentum": ({"name": "momentum", "momentum": 0.9}, optax.sgd(0.1, momentum=0.9)),
    "nesterov": (
        {"name": "nesterov", "momentum": 0.9},
        optax.sgd(0.1, momentum=0.9, nesterov=True),
    ),
    "adam": (
        {"name": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7},
        optax.adam(0.1, b1=0.9, b2=0.999, eps=1e-7),
    ),
    "adagrad": (
        {"name": "adagrad", "accumulator": 0.1, "epsilon": 1e-7},
        optax.adagrad(0.1, initial_accumulator_value=0.1, eps=1e-7),
    ),
    "rmsprop": (
        {"name": "rmsprop", "rho": 0.9, "epsilon": 1e-7},
        optax.rmsprop(0.1, decay=0.9, eps=1e-7, eps_in_sqrt=True),
    ),
}


@pytest.mark.parametrize("kind", OPTAX)
def test_a_solo_lane_is_the_plain_flax_and_optax_model(double, kind):
    """For 24 steps at a constant rate, where Optax's own optimizers are the canonical equations."""
    data, epochs = examples(SMALL), 8
    plain = nn.Sequential([nn.Dense(9), jax.nn.selu, nn.Dense(3)])
    names = {"hidden1": "layers_0", "output": "layers_2"}
    weights = initial_weights(SMALL, FEATURES, [5])
    theirs = {
        theirs: {part: jnp.asarray(weights[f"{ours}/{part}"][0]) for part in ("kernel", "bias")}
        for ours, theirs in names.items()
    }
    table, optimizer = OPTAX[kind]

    def loss(parameters, inputs, labels):
        logits = plain.apply({"params": parameters}, inputs)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    @jax.jit
    def step(parameters, state, inputs, labels):
        value, gradient = jax.value_and_grad(loss)(parameters, inputs, labels)
        updates, state = optimizer.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state, value

    state, losses = optimizer.init(theirs), []
    for epoch in range(epochs):
        for rows in np.split(plan(SMALL, [5], epoch).order[0], range(BATCH, ROWS, BATCH)):
            inputs, labels = data.train.inputs[rows], data.train.labels[rows]
            theirs, state, value = step(theirs, state, inputs, labels)
            losses.append(float(value))
    ours, ended = trained(double, SMALL, [5], epochs, data=data, optimizer=table)
    np.testing.assert_allclose(ours[0], losses, rtol=1e-10)
    reference = {
        f"{name}/{part}": np.asarray(theirs[layer][part])[None]
        for name, layer in names.items()
        for part in ("kernel", "bias")
    }
    assert distance(ended, reference) < 1e-9


@pytest.mark.parametrize(
    ("kind", "theirs", "options"),
    [
        ("adagrad", "Adagrad", {"initial_accumulator_value": 0.1 + 1e-7, "eps": 0}),
        ("nadam", "NAdam", {"momentum_decay": 0.004, "eps": 1e-7}),
        ("adam", "Adam", {"eps": 1e-7}),
    ],
)
def test_optimizer_is_pytorchs_where_pytorch_has_the_canonical_equation(
    double, kind, theirs, options
):
    torch = pytest.importorskip("torch")
    table = phase(SMALL, optimizer=kind).optimizer.hyperparameters()
    hyperparameters = {name: np.asarray(value) for name, value in table.items()}
    generator = np.random.default_rng(5)
    first = generator.normal(size=4)
    parameter = torch.nn.Parameter(torch.tensor(first))
    optimizer = getattr(torch.optim, theirs)([parameter], lr=0.03, **options)
    state = optimizers.initial_state(kind, {"w": first[None]}, hyperparameters)
    state, ours = jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], state), {"w": jnp.asarray(first)}
    for _ in range(20):
        gradient = generator.normal(size=4)
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        step = optimizers.RULES[kind](jnp.asarray(0.03), jnp.asarray(0.0), hyperparameters)
        updates, state = step.update({"w": jnp.asarray(gradient)}, state, ours)
        ours = {"w": ours["w"] + updates["w"]}
    # PyTorch computes nadam's product of momenta in float32.
    tolerance = 1e-8 if kind == "nadam" else 1e-12
    np.testing.assert_allclose(ours["w"], parameter.detach().numpy(), rtol=tolerance)


def test_ftrl_makes_weights_exactly_zero(single):
    table = {"name": "ftrl", "l1": 0.5}
    cohort = started(single, PLAIN, optimizer=table)
    for epoch in range(4):
        cohort.train(plan(PLAIN, epoch=epoch))
    share = (cohort.weights()["hidden1/kernel"] == 0).mean()
    assert 0.1 < share <= 1
