"""PyTorch's optimizers in training, against their equations and `torch.optim`."""

import numpy as np
import pytest

from manyseeds.backend.values import Batch

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from tests.backends.pytorch.dense_toy import (  # noqa: E402
    BATCH,
    ROWS,
    a_network,
    a_phase,
    a_plan,
    first_weights,
    some_data,
    trained,
)
from tests.backends.pytorch.distance import distance  # noqa: E402
from tests.backends.pytorch.plain_model import plain_epoch, plain_weights, sequential  # noqa: E402

RANDOM = np.random.default_rng(5)


def spread(values, like):
    return values.reshape(-1, *[1] * (like.ndim - 1))


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_the_equation_under_changing_rates_and_momenta(double, nesterov):
    network, lanes, epochs = a_network(), 3, 6
    steps = -(-ROWS * epochs // BATCH)
    plan = a_plan(
        network,
        lanes,
        epochs=epochs,
        rate=RANDOM.uniform(0.01, 0.3, (lanes, steps)),
        momentum=RANDOM.uniform(0.5, 0.95, (lanes, steps)),
    )
    name = "nesterov" if nesterov else "momentum"
    phase = a_phase(network, optimizer={"name": name, "momentum": 0.9})
    _, whole = trained(double, network, plan, phase=phase)

    probe = double.cohort(network, some_data(), lanes)
    theta = first_weights(network, lanes)
    velocity = {name: np.zeros_like(value) for name, value in theta.items()}
    for t in range(steps):
        probe.begin(a_phase(network), theta)
        g = probe.gradient(Batch(rows=plan.order[:, t * BATCH : (t + 1) * BATCH]))
        for name in theta:
            eta, beta = (spread(v[:, t], g[name]) for v in (plan.rate, plan.momentum))
            velocity[name] = beta * velocity[name] - eta * g[name]
            move = beta * velocity[name] - eta * g[name] if nesterov else velocity[name]
            theta[name] = theta[name] + move
    assert steps >= 20
    assert distance(whole.weights(), theta) < 1e-12


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "adam"])
def test_optimizer_is_torch_optim_at_a_constant_rate(double, name):
    rate, epochs = 0.05, 6
    network = a_network(activation="elu")
    own = {
        "sgd": lambda p: torch.optim.SGD(p, lr=rate),
        "momentum": lambda p: torch.optim.SGD(p, lr=rate, momentum=0.8),
        "nesterov": lambda p: torch.optim.SGD(p, lr=rate, momentum=0.8, nesterov=True),
        "adam": lambda p: torch.optim.Adam(p, lr=rate, betas=(0.8, 0.97), eps=1e-4),
    }[name]
    fields = {
        "sgd": {},
        "momentum": {"momentum": 0.8},
        "nesterov": {"momentum": 0.8},
        "adam": {"beta1": 0.8, "beta2": 0.97, "epsilon": 1e-4},
    }[name]
    plan = a_plan(
        network, 1, epochs=epochs, rate=rate, momentum=0.8 if "momentum" in fields else None
    )
    phase = a_phase(network, optimizer={"name": name} | fields)
    trace, cohort = trained(double, network, plan, phase=phase)
    assert trace.loss.shape[1] >= 20

    model = sequential(first_weights(network, 1), torch.nn.ELU)
    losses = plain_epoch(model, own(model.parameters()), plan.order[0])
    np.testing.assert_allclose(trace.loss[0], losses, rtol=1e-12)
    assert distance(cohort.weights(), plain_weights(model)) < 1e-12


def test_adam_has_a_rate_per_lane_and_step(double):
    network, lanes, epochs = a_network(), 3, 6
    steps = -(-ROWS * epochs // BATCH)
    plan = a_plan(network, lanes, epochs=epochs, rate=RANDOM.uniform(0.001, 0.1, (lanes, steps)))
    phase = a_phase(network, optimizer={"name": "adam", "epsilon": 1e-3})
    _, whole = trained(double, network, plan, phase=phase)

    probe = double.cohort(network, some_data(), lanes)
    theta = first_weights(network, lanes)
    m = dict.fromkeys(theta, 0)
    s = dict.fromkeys(theta, 0)
    for t in range(steps):
        probe.begin(a_phase(network), theta)
        g = probe.gradient(Batch(rows=plan.order[:, t * BATCH : (t + 1) * BATCH]))
        for name in theta:
            m[name] = 0.9 * m[name] + 0.1 * g[name]
            s[name] = 0.999 * s[name] + 0.001 * g[name] ** 2
            m_hat, s_hat = m[name] / (1 - 0.9 ** (t + 1)), s[name] / (1 - 0.999 ** (t + 1))
            move = spread(plan.rate[:, t], g[name]) * m_hat / (np.sqrt(s_hat) + 1e-3)
            theta[name] = theta[name] - move
    assert distance(whole.weights(), theta) < 1e-11
