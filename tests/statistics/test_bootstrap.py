"""Intervals against SciPy's own, and what they cover."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from manyseeds.statistics import mean_intervals, sd_intervals
from manyseeds.statistics.bootstrap import RESAMPLES, SEED


def scipy_interval(values, statistic):
    found = stats.bootstrap(
        (values,),
        statistic,
        n_resamples=RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(SEED),
        vectorized=True,
    )
    return found.confidence_interval


def sample(n, seed):
    """Return whole numbers: their means are exact, so that SciPy finds every tie as we do."""
    return np.random.default_rng(seed).gamma(2.0, 100, size=n).round()


@pytest.mark.parametrize("n", [2, 5, 20, 100])
def test_the_interval_of_a_mean_is_scipys(n):
    values = sample(n, n)
    found = mean_intervals(values)
    expected = scipy_interval(values, np.mean)
    assert found.estimate[0] == pytest.approx(values.mean())
    assert (found.low[0], found.high[0]) == pytest.approx(tuple(expected), rel=1e-6)


@pytest.mark.parametrize("n", [20, 100])
def test_the_interval_of_a_standard_deviation_is_scipys(n):
    values = sample(n, n)
    found = sd_intervals(values)
    expected = scipy_interval(values, lambda x, axis: np.std(x, axis=axis, ddof=1))
    assert found.estimate[0] == pytest.approx(values.std(ddof=1))
    assert (found.low[0], found.high[0]) == pytest.approx(tuple(expected), rel=1e-6)


def test_columns_of_different_length_have_the_intervals_they_have_alone():
    long, short = sample(40, 1), sample(12, 2)
    padded = np.full(40, np.nan)
    padded[5:17] = short
    together = mean_intervals(np.stack([long, padded], axis=1))
    for column, alone in enumerate((mean_intervals(long), mean_intervals(short))):
        assert together.n[column] == alone.n[0]
        assert together.low[column] == pytest.approx(alone.low[0], rel=1e-12)
        assert together.high[column] == pytest.approx(alone.high[0], rel=1e-12)


def test_no_values_have_no_mean_and_one_value_has_no_interval():
    found = mean_intervals([[np.nan, 3.0], [np.nan, np.nan]])
    assert np.isnan(found.estimate[0])
    assert found.estimate[1] == 3.0
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()
    assert mean_intervals(np.empty((0, 2))).n.tolist() == [0, 0]


def test_equal_values_have_an_interval_without_width():
    found = mean_intervals(np.full(30, 0.985))
    assert found.low[0] == found.high[0] == pytest.approx(0.985, abs=1e-15)
    assert sd_intervals(np.full(30, 0.985)).high[0] == 0.0


def test_the_same_values_have_the_same_interval_every_time():
    values = sample(50, 3)
    first, second = mean_intervals(values), mean_intervals(values)
    assert (first.low, first.high) == (second.low, second.high)


@given(st.lists(st.integers(0, 2000), min_size=2, max_size=40), st.floats(-5, 5))
@settings(max_examples=30, deadline=None)
def test_a_shift_of_all_values_shifts_the_interval(counts, shift):
    values = np.array(counts) / 2000
    here, there = mean_intervals(values), mean_intervals(values + shift)
    assert there.low[0] - here.low[0] == pytest.approx(shift, abs=1e-9)
    assert there.high[0] - here.high[0] == pytest.approx(shift, abs=1e-9)


def coverage(n, trials=1000):
    rng = np.random.default_rng(n)
    values = np.round(rng.normal(0.985, 0.004, size=(n, trials)) * 2000) / 2000
    found = mean_intervals(values)
    return float(((found.low <= 0.985) & (found.high >= 0.985)).mean())


@pytest.mark.parametrize(("n", "least"), [(10, 0.86), (20, 0.90), (100, 0.93)])
def test_nominal_95_per_cent_intervals_cover_nearly_as_often(n, least):
    assert least < coverage(n) < 0.975
