"""The weights of the yardstick's parts, against those behind the data and another solver."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from manyseeds.check.timing.normalisation import normalised, weights_of

SHAPE = (8, 40)


def measured(rng, weights, noise=0.0, spread=0.1):
    """Parts that vary from preparation to preparation, and a subject that follows them."""
    logs = spread * rng.standard_normal((SHAPE[0], 8, 1, len(weights)))
    logs = np.broadcast_to(logs, (SHAPE[0], 8, SHAPE[1] // 8, len(weights))).reshape(*SHAPE, -1)
    own = logs @ np.array(weights) + noise * rng.standard_normal(SHAPE)
    return 3e-3 * np.exp(own), 5e-4 * np.exp(logs)


@pytest.mark.parametrize("weights", [(1.0, 0.0, 0.0), (0.5, 0.3, 0.2), (0.0, 0.25, 0.75)])
def test_the_weights_behind_the_data_are_recovered(rng, weights):
    own, parts = measured(rng, weights)
    found = weights_of(own, parts, 8)
    np.testing.assert_allclose(found, weights, atol=1e-6)
    multiples = normalised(own, parts, found)
    np.testing.assert_allclose(multiples, 6.0, rtol=1e-6)


@given(st.integers(0, 10**6), st.floats(-1.0, 2.0))
def test_weights_are_shares_and_no_worse_than_another_solvers(seed, pull):
    """Also if unconstrained weights would be negative, or would not sum to 1."""
    rng = np.random.default_rng(seed)
    own, parts = measured(rng, (pull, 0.6, 0.3), noise=0.02)
    found = weights_of(own, parts, 8)
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1)

    def medians(values):
        shares = np.log(values).reshape(SHAPE[0] * 8, SHAPE[1] // 8, -1)
        typical = np.median(shares, axis=1)
        return typical - typical.mean(axis=0)

    wanted, given_ = medians(own)[:, 0], medians(parts)

    def loss(weights):
        return ((wanted - given_ @ weights) ** 2).sum()

    other = minimize(
        *(loss, np.full(3, 1 / 3)),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-12},
    )
    assert loss(found) <= loss(other.x) + 1e-6


@given(st.floats(0.2, 5.0), st.integers(0, 10**6))
def test_a_machine_that_is_slower_in_all_respects_makes_no_change(times, seed):
    rng = np.random.default_rng(seed)
    own, parts = measured(rng, (0.2, 0.4, 0.1), noise=0.05)
    weights = weights_of(own, parts, 8)
    there = normalised(times * own, times * parts, weights)
    np.testing.assert_allclose(there, normalised(own, parts, weights))


def test_weights_of_parts_that_never_vary_sum_to_1():
    found = weights_of(np.full(SHAPE, 2.0), np.full((*SHAPE, 3), 1.0), 8)
    assert found.sum() == pytest.approx(1)
    assert np.isfinite(found).all()


@pytest.fixture
def rng():
    return np.random.default_rng(11)
