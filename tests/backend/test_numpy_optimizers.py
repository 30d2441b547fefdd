"""The NumPy reference: optimizers against their closed forms."""

import numpy as np
import pytest
from manyseeds_numpy.optimizers import LaneOptimizer
from pydantic import TypeAdapter

from manyseeds.techniques.optimizers import Optimizer

STEPS = 6
G = np.random.default_rng(4).normal(size=(STEPS, 2, 5))
RATES = np.random.default_rng(5).uniform(0.05, 0.2, (STEPS, 2))
START = np.random.default_rng(6).normal(size=(2, 5))
TIMES = np.arange(1, STEPS + 1)[:, None, None]


def steps(name, momenta=None, start=START, rates=RATES, **hyperparameters):
    """Return what each step adds to a weight [lanes, 5]: [steps, lanes, 5]."""
    wanted = TypeAdapter(Optimizer).validate_python({"name": name, **hyperparameters})
    optimizer, weights = LaneOptimizer(wanted), {"w": start.copy()}
    passed = [start]
    for t in range(STEPS):
        momentum = None if momenta is None else momenta[t]
        optimizer.step(weights, {"w": G[t]}, rates[t], momentum)
        passed.append(weights["w"].copy())
    return np.diff(passed, axis=0)


def decayed(values, decay):
    """Return sum_i decay^(t-i) values_i at every t: what a recursion comes to."""
    powers = np.tril(decay ** np.maximum(np.subtract.outer(np.arange(STEPS), np.arange(STEPS)), 0))
    return np.einsum("ti,i...->t...", np.tril(powers), values)


def unbiased(values, decay):
    return (1 - decay) * decayed(values, decay) / (1 - decay**TIMES)


ETA = RATES[..., None]


def velocity(momenta):
    """Return m_t = -sum_i (beta_(i+1) … beta_t) eta_i g_i for momenta [steps, lanes]."""
    return -np.stack(
        [
            sum(
                np.prod(momenta[i + 1 : t + 1], axis=0)[:, None] * ETA[i] * G[i]
                for i in range(t + 1)
            )
            for t in range(STEPS)
        ]
    )


def test_gradient_descent_adds_the_rate_times_the_gradient():
    np.testing.assert_allclose(steps("sgd"), -ETA * G, rtol=1e-12)


def test_momentum_adds_a_velocity_that_holds_rates_and_momenta_as_they_were():
    momenta = np.random.default_rng(7).uniform(0.5, 0.99, (STEPS, 2))
    np.testing.assert_allclose(steps("momentum", momenta), velocity(momenta), rtol=1e-9)
    ahead = momenta[..., None] * velocity(momenta) - ETA * G
    np.testing.assert_allclose(steps("nesterov", momenta), ahead, rtol=1e-9)


def test_adagrad_divides_by_the_root_of_all_squares():
    sums = 0.3 + np.cumsum(G**2, axis=0)
    found = steps("adagrad", accumulator=0.3, epsilon=0.05)
    np.testing.assert_allclose(found, -ETA * G / np.sqrt(sums + 0.05), rtol=1e-9)


def test_rmsprop_divides_by_the_root_of_recent_squares():
    squares = 0.2 * decayed(G**2, 0.8)
    found = steps("rmsprop", rho=0.8, epsilon=0.05)
    np.testing.assert_allclose(found, -ETA * G / np.sqrt(squares + 0.05), rtol=1e-9)


ADAM = {"beta1": 0.8, "beta2": 0.95, "epsilon": 0.05}


def test_adam_and_adamax_are_their_closed_forms():
    mean = unbiased(G, 0.8)
    root = np.sqrt(unbiased(G**2, 0.95))
    np.testing.assert_allclose(steps("adam", **ADAM), -ETA * mean / (root + 0.05), rtol=1e-9)
    sizes = [[0.95 ** (t - i) * np.abs(G[i]) for i in range(t + 1)] for t in range(STEPS)]
    largest = np.stack([np.max(each, axis=0) for each in sizes])
    np.testing.assert_allclose(steps("adamax", **ADAM), -ETA * mean / (largest + 0.05), rtol=1e-9)


@pytest.mark.parametrize(("name", "decay"), [("nadam", 0.004), ("nadam_keras3", 1.0)])
def test_nadam_is_its_closed_form(name, decay):
    mu = 0.8 * (1 - 0.96 ** (decay * np.arange(1, STEPS + 2)) / 2)
    product = np.cumprod(mu)
    now, later = (
        factor.reshape(-1, 1, 1)
        for factor in ((1 - mu[:-1]) / (1 - product[:-1]), mu[1:] / (1 - product[1:]))
    )
    ahead = later * 0.2 * decayed(G, 0.8) + now * G
    root = np.sqrt(unbiased(G**2, 0.95))
    np.testing.assert_allclose(steps(name, **ADAM), -ETA * ahead / (root + 0.05), rtol=1e-9)


def test_ftrl_from_0_without_penalties_is_adagrad_without_epsilon():
    found = steps("ftrl", start=np.zeros((2, 5)), rates=np.full((STEPS, 2), 0.1), accumulator=0.3)
    expected = -0.1 * G / np.sqrt(0.3 + np.cumsum(G**2, axis=0))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_ftrl_with_penalties_worked_by_hand():
    # One lane, rate 0.5, from weight 1 and n = 0.25, gradient 2: n' = 4.25, and
    # z = 2 - (sqrt(4.25) - 0.5) 1 / 0.5; the second gradient of -0.1 leaves z within l1: weight 0.
    wanted = TypeAdapter(Optimizer).validate_python(
        {"name": "ftrl", "l1": 0.5, "l2": 0.3, "accumulator": 0.25}
    )
    optimizer, weights, rate = LaneOptimizer(wanted), {"w": np.ones((1, 1))}, np.array([0.5])
    optimizer.step(weights, {"w": np.full((1, 1), 2.0)}, rate, None)
    z = 2 - (4.25**0.5 - 0.5) / 0.5
    first = (-0.5 - z) / (4.25**0.5 / 0.5 + 0.6)
    assert weights["w"].item() == pytest.approx(first)
    optimizer.step(weights, {"w": np.full((1, 1), 1.0)}, rate, None)
    z += 1 - (5.25**0.5 - 4.25**0.5) * first / 0.5
    assert abs(z) < 0.5
    assert weights["w"].item() == 0
