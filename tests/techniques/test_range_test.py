"""The learning-rate range test: the rates that synthetic loss curves suggest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyseeds.techniques.range_test import EXPLODED, smoothed, suggestion

STEPS = 2000
RATE = np.geomspace(1e-5, 10, STEPS, endpoint=False)


def test_the_running_mean_of_a_constant_is_the_constant_from_the_first_step():
    assert smoothed(np.full(50, 2.3)) == pytest.approx(np.full(50, 2.3), rel=1e-12)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=40))
def test_the_running_mean_is_the_weighted_mean_of_the_losses_so_far(losses):
    """Adam's first moment in closed form: weights .98^(t - i), scaled to sum to 1."""
    found = smoothed(np.array(losses))
    for step in range(len(losses)):
        weights = 0.98 ** np.arange(step, -1, -1)
        expected = np.average(losses[: step + 1], weights=weights)
        assert found[step] == pytest.approx(expected, abs=1e-12, rel=1e-9)


def test_the_turning_point_is_where_a_slow_curve_is_least():
    """A parabola in log rate, least at 0.1; smoothing lags by .98 / .02 = 49 steps."""
    position = np.log10(RATE)
    loss = 1 + (position + 1) ** 2 / 2
    found = suggestion(RATE, loss)
    turned = np.searchsorted(RATE, found.turning_point)
    least = np.searchsorted(RATE, 0.1)
    assert turned - least == pytest.approx(49, abs=2)
    assert found.tenth == found.turning_point / 10
    assert found.largest == RATE[-1]  # the loss never exceeds four times its least
    assert found.half == RATE[-1] / 2


def test_the_largest_rate_is_the_last_before_the_loss_diverges():
    loss = np.ones(STEPS)
    loss[1500:] = np.nan
    found = suggestion(RATE, loss)
    assert (found.largest, found.half) == (RATE[1499], RATE[1499] / 2)
    loss = np.where(np.arange(STEPS) < 1200, 1.0, 1e6)
    assert smoothed(loss)[1200] > EXPLODED
    assert suggestion(RATE, loss).largest == RATE[1199]


def test_losses_after_the_divergence_are_ignored():
    loss = np.linspace(2, 1, STEPS)
    loss[1000] = 1e9
    loss[1001:] = -1e9
    found = suggestion(RATE, loss)
    assert found.largest == found.turning_point == RATE[999]


@pytest.mark.parametrize("loss", [[np.nan] * 5, [np.inf, 1, 1, 1, 1], [1, np.nan, 1, 1, 1]])
def test_a_loss_that_is_never_finite_suggests_the_least_rate(loss):
    found = suggestion(RATE[:5], np.array(loss))
    assert (found.turning_point, found.largest) == (RATE[0], RATE[0])
