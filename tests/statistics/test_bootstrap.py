"""Intervals against SciPy's bounds: each is the outermost of three."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from manyseeds.statistics import mean_intervals, sd_intervals
from manyseeds.statistics.bootstrap import (
    RESAMPLES,
    SEED,
    log_ratio_intervals,
    mean_intervals_at,
)
from manyseeds.statistics.resampling import DRAWN
from manyseeds.statistics.studentised import skewed

few_counts = st.lists(st.integers(0, 2000), min_size=2, max_size=40)


def bca(values, statistic, level=0.95):
    """Return SciPy's BCa bounds; the values of every sample are in order."""
    found = stats.bootstrap(
        values, statistic, paired=True, confidence_level=level, n_resamples=RESAMPLES,
        method="BCa", rng=np.random.default_rng(SEED),
    )  # fmt: skip
    return found.confidence_interval


def halls_transformation(t, skewness, n):
    """Hall (1992), eq. 2: what makes a studentised mean nearly normal."""
    bend = skewness / np.sqrt(n)
    return t + bend * t**2 / 3 + bend**2 * t**3 / 27 + bend / 6


def student(influence, level=0.95):
    """Return the outer bounds of SciPy's t and of Hall's, by numerical inversion, about 0."""
    n = len(influence)
    plain = stats.ttest_1samp(influence, 0).confidence_interval(level)
    skewness, error = stats.skew(influence), stats.sem(influence)
    bounds = []
    for tail, t in zip((plain.high, plain.low), (1, -1), strict=True):
        wanted = t * stats.t.ppf((1 + level) / 2, n - 1)
        root = optimize.brentq(
            lambda x, wanted=wanted: halls_transformation(x, skewness, n) - wanted, -1e4, 1e4
        )
        bounds.append((tail, -root * error))
    high, low = bounds[0], bounds[1]
    return min(*high, *low), max(*high, *low)


def outermost(*bounds):
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def sample(n, seed):
    """Return whole numbers: their means are exact, so that SciPy finds every tie as we do."""
    return np.sort(np.random.default_rng(seed).gamma(2.0, 100, size=n).round())


def bounds(found):
    return float(found.low[0]), float(found.high[0])


@pytest.mark.parametrize("level", [0.9, 0.95, 0.995])
@pytest.mark.parametrize("n", [2, 5, 20, 100])
def test_the_interval_of_a_mean_is_the_outermost_of_scipys(n, level):
    values = sample(n, n)
    expected = outermost(
        bca((values,), np.mean, level),
        tuple(values.mean() + bound for bound in student(values - values.mean(), level)),
    )
    found = mean_intervals(values, level)
    assert found.estimate[0] == pytest.approx(values.mean())
    assert bounds(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [20, 100])
def test_the_interval_of_a_standard_deviation_is_the_outermost_of_scipys(n):
    values = sample(n, n)
    squares = (values - values.mean()) ** 2
    low, high = student((squares / squares.mean() - 1) / 2)  # of the logarithm
    expected = outermost(
        bca((values,), lambda x, axis: np.std(x, axis=axis, ddof=1)),
        (values.std(ddof=1) * np.exp(low), values.std(ddof=1) * np.exp(high)),
    )
    found = sd_intervals(values)
    assert found.estimate[0] == pytest.approx(values.std(ddof=1))
    assert bounds(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [8, 25, 100])
def test_the_interval_of_a_log_ratio_is_the_outermost_of_scipys(n):
    top, bottom = sample(n, n), np.random.default_rng(n).permutation(sample(n, n + 1))
    log_ratio = np.log(top.mean() / bottom.mean())
    expected = outermost(
        bca((top, bottom), lambda x, y, axis: np.log(x.mean(axis)) - np.log(y.mean(axis))),
        tuple(log_ratio + b for b in student(top / top.mean() - bottom / bottom.mean())),
    )
    found = log_ratio_intervals(top, bottom)
    assert found.estimate[0] == pytest.approx(log_ratio)
    assert bounds(found) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@given(st.floats(-6, 6), st.floats(-4, 4), st.integers(2, 200))
def test_halls_bounds_undo_his_transformation(t, skewness, n):
    quantile = skewed(np.array([t]), np.array([skewness]), n)
    assert halls_transformation(quantile, skewness, n)[0] == pytest.approx(t, abs=1e-4)


@pytest.mark.parametrize("n", [DRAWN + 1, 20 * DRAWN])
def test_large_samples_have_the_bounds_that_drawing_would_give(n):
    values = sample(n, n)
    found = mean_intervals(values)
    theirs = bca((values[:, None],), np.mean) if n <= 2 * DRAWN else None
    error = stats.sem(values)
    if theirs is not None:
        # 10,000 draws know a bound to about 0.03 standard errors.
        assert bounds(found) == pytest.approx(
            (float(theirs.low[0]), float(theirs.high[0])), abs=0.1 * error
        )
    t = stats.ttest_1samp(values, 0).confidence_interval()
    assert bounds(found) == pytest.approx((t.low, t.high), abs=0.1 * error)


def test_large_samples_of_every_statistic_agree_with_drawn_ones(monkeypatch):
    first, second = sample(DRAWN, 1), np.random.default_rng(1).permutation(sample(DRAWN, 2))
    ways = (mean_intervals, sd_intervals, lambda x: log_ratio_intervals(x, second))
    drawn = [bounds(way(first)) for way in ways]
    monkeypatch.setattr("manyseeds.statistics.resampling.DRAWN", 10)
    for way, (low, high) in zip(ways, drawn, strict=True):
        assert bounds(way(first)) == pytest.approx((low, high), abs=0.03 * (high - low))


def test_columns_of_different_length_have_the_intervals_they_have_alone():
    long, short = sample(40, 1), sample(12, 2)
    padded = np.full(40, np.nan)
    padded[5:17] = short
    together = mean_intervals(np.stack([long, padded], axis=1))
    for column, alone in enumerate((mean_intervals(long), mean_intervals(short))):
        assert together.n[column] == alone.n[0]
        assert together.low[column] == pytest.approx(alone.low[0], rel=1e-12)
        assert together.high[column] == pytest.approx(alone.high[0], rel=1e-12)


def test_several_levels_have_the_intervals_they_have_alone():
    values = sample(30, 3)
    for level, found in zip((0.9, 0.99), mean_intervals_at(values, [0.9, 0.99]), strict=True):
        assert bounds(found) == bounds(mean_intervals(values, level))


def test_no_values_have_no_mean_and_one_value_has_no_interval():
    found = mean_intervals([[np.nan, 3.0], [np.nan, np.nan]])
    assert np.isnan(found.estimate[0])
    assert found.estimate[1] == 3.0
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()
    assert mean_intervals(np.empty((0, 2))).n.tolist() == [0, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_ignored(bad):
    values = sample(20, 4)
    with_bad = np.append(values, bad)
    assert bounds(mean_intervals(with_bad)) == bounds(mean_intervals(values))
    assert bounds(sd_intervals(with_bad)) == bounds(sd_intervals(values))
    ratios = log_ratio_intervals(with_bad, np.append(values[::-1], 1.0))
    assert bounds(ratios) == bounds(log_ratio_intervals(values, values[::-1]))


@pytest.mark.parametrize("n", [30, 3000])
def test_equal_values_have_an_interval_without_width(n):
    found = mean_intervals(np.full(n, 0.985))
    assert found.low[0] == found.high[0] == pytest.approx(0.985, abs=1e-15)
    assert sd_intervals(np.full(n, 0.985)).high[0] == pytest.approx(0, abs=1e-15)
    assert bounds(log_ratio_intervals(np.full(n, 0.2), np.full(n, 0.1))) == pytest.approx(
        (np.log(2), np.log(2))
    )


@pytest.mark.parametrize("n", [10, 3000])
def test_a_ratio_to_no_errors_at_all_is_infinite(n):
    errors = np.random.default_rng(0).uniform(0.1, 0.2, n)
    assert bounds(log_ratio_intervals(errors, np.zeros(n))) == (np.inf, np.inf)
    assert bounds(log_ratio_intervals(np.zeros(n), errors)) == (-np.inf, -np.inf)
    assert np.isnan(bounds(log_ratio_intervals(np.zeros(n), np.zeros(n)))).all()


@given(few_counts, st.randoms())
@settings(max_examples=30, deadline=None)
def test_seeds_have_no_order(counts, random):
    shuffled = list(counts)
    random.shuffle(shuffled)
    for way in (mean_intervals, sd_intervals):
        here, there = (bounds(way(np.array(each) / 2000)) for each in (counts, shuffled))
        assert here == pytest.approx(there, abs=1e-9, nan_ok=True)
    pairs = np.array([counts, np.arange(1, len(counts) + 1)]) + 1.0
    order = np.random.default_rng(random.randrange(100)).permutation(len(counts))
    assert bounds(log_ratio_intervals(*pairs)) == pytest.approx(
        bounds(log_ratio_intervals(*pairs[:, order])), abs=1e-9
    )


@given(few_counts, st.floats(-5, 5), st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_shifts_and_units_shift_and_scale_the_interval(counts, shift, unit):
    values = np.array(counts) / 2000
    here, moved = (
        bounds(mean_intervals(values)),
        bounds(mean_intervals(values * unit + shift)),
    )
    assert moved == pytest.approx([unit * bound + shift for bound in here], abs=1e-7 * unit + 1e-9)
    spread, scaled = (
        bounds(sd_intervals(values)),
        bounds(sd_intervals(values * unit + shift)),
    )
    assert scaled == pytest.approx([unit * b for b in spread], abs=1e-6 * unit, nan_ok=True)


@given(few_counts.filter(lambda counts: len(counts) >= 5))
@settings(max_examples=30, deadline=None)
def test_the_opposite_of_all_values_has_the_opposite_interval(counts):
    values = np.array(counts) / 2000
    low, high = bounds(mean_intervals(values))
    tolerance = 0.12 * (high - low) + 1e-12  # other draws
    assert bounds(mean_intervals(-values)) == pytest.approx((-high, -low), abs=tolerance)


@given(st.integers(0, 1000), st.floats(0.5, 0.99))
@settings(max_examples=20, deadline=None)
def test_more_coverage_is_wider(seed, level):
    values = np.random.default_rng(seed).gamma(1, size=(8, 5))
    narrow, wide = mean_intervals_at(values, [level, level + 0.009])
    assert (wide.low < narrow.low).all()
    assert (wide.high > narrow.high).all()
