"""Coverage of intervals and error rates of verdicts, by simulation.

The bounds allow for three Monte Carlo standard errors; the slow tests have so many trials that this
hardly matters. reports/simulation.md has the whole table.
"""

import math

import numpy as np
import pytest

from manyseeds.statistics import mean_intervals
from manyseeds.statistics.bootstrap import Intervals
from tests.statistics.simulation import families, intervals, verdicts
from tests.statistics.simulation.counting import Rate
from tests.statistics.simulation.populations import (
    EXPONENTIAL,
    FEW_IMAGES,
    LOG_NORMAL,
    MANY_IMAGES,
    NORMAL,
)

LEAST, MOST, WRONG = 0.93, 0.97, 0.05
SYMMETRIC = (NORMAL, FEW_IMAGES, MANY_IMAGES)
SKEWED = (LOG_NORMAL, EXPONENTIAL)
TRIALS, MANY = 3_000, 40_000
FAMILIES, MANY_FAMILIES = 600, 8_000


def rng(*numbers):
    return np.random.default_rng([2026, *numbers])


def named(population):
    return population.name


def narrowed(share):
    """Return intervals of means that are narrower by a share."""

    def found(values, level):
        whole = mean_intervals(values, level)
        low, high = (
            whole.estimate + (1 - share) * (bound - whole.estimate)
            for bound in (whole.low, whole.high)
        )
        return Intervals(whole.n, whole.estimate, low, high)

    return found


def as_promised(rate):
    return not rate.below(LEAST) and not rate.above(MOST)


@pytest.mark.parametrize("n", [30, 100])
@pytest.mark.parametrize("population", [*SYMMETRIC, *SKEWED], ids=named)
def test_intervals_of_means_cover_as_promised(population, n):
    found = intervals.of_means(population, n, TRIALS, rng(n))
    assert as_promised(found.covered)


@pytest.mark.parametrize("n", [5, 10, 30, 100])
def test_intervals_of_normal_values_cover_at_least_the_nominal_level_and_little_more(n):
    found = intervals.of_means(NORMAL, n, TRIALS, rng(1, n))
    assert not found.covered.below(0.95)
    assert not found.covered.above(MOST)
    assert found.width < {5: 1.3, 10: 1.1, 30: 1.05, 100: 1.03}[n]


@pytest.mark.parametrize("n", [10, 30])
def test_intervals_that_are_narrower_by_a_tenth_would_be_found_out(n):
    found = intervals.of_means(NORMAL, n, 4 * TRIALS, rng(1, n), intervals=narrowed(0.1))
    assert found.covered.below(0.95)


@pytest.mark.parametrize("population", SYMMETRIC, ids=named)
def test_intervals_of_standard_deviations_cover_as_promised_of_symmetric_values(population):
    found = intervals.of_spreads(population, 100, TRIALS, rng(2))
    assert as_promised(found.covered)


@pytest.mark.parametrize("images", [200, 2000])
def test_intervals_of_ratios_of_errors_cover_as_promised(images):
    found = intervals.of_log_ratios(images, 30, TRIALS, rng(3, images))
    assert as_promised(found.covered)


@pytest.mark.parametrize("chance", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("n", [5, 30])
def test_intervals_of_shares_cover_at_least_the_nominal_level(chance, n):
    assert not intervals.of_shares(chance, n, 20_000, rng(4, n)).covered.below(0.95)


def worst(found):
    return max(
        (found.holds, found.reversed, found.negligible, found.equivalent), key=lambda r: r.share
    )


@pytest.mark.parametrize("n", [5, 10, 30])
@pytest.mark.parametrize("population", SYMMETRIC, ids=named)
def test_verdicts_on_the_bound_are_seldom_given(population, n):
    assert not worst(verdicts.false_positives(population, n, TRIALS, rng(5, n))).above(0.025)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("population", SKEWED, ids=named)
def test_verdicts_on_skewed_improvements_are_wrong_in_at_most_5_per_cent(population, mirror):
    asked = population.mirrored() if mirror else population
    assert not worst(verdicts.false_positives(asked, 30, TRIALS, rng(6))).above(WRONG)


@pytest.mark.parametrize("kind", families.KINDS)
@pytest.mark.parametrize("correlation", [0.0, 0.5])
@pytest.mark.parametrize("n", [5, 20])
def test_families_have_any_wrong_verdict_in_at_most_5_per_cent(kind, correlation, n):
    rate = families.error_rate(kind(5), n, FAMILIES, rng(7, n), correlation)
    assert not rate.above(WRONG)


def test_families_that_are_not_corrected_would_be_found_out(monkeypatch):
    monkeypatch.setattr(families, "level_among", lambda claims: 0.95)
    monkeypatch.setattr("manyseeds.statistics.family.level_among", lambda claims: 0.95)
    assert families.error_rate(families.on_the_bound(5), 20, FAMILIES, rng(8)).above(WRONG)


def test_verdicts_hold_as_often_as_power_says():
    for found in verdicts.powers(30, TRIALS, rng(9), NORMAL):
        # The intervals are about 2 % wider than t's, which costs up to 3 points of power.
        assert not found.held.above(found.predicted)
        assert not found.held.below(found.predicted - 0.03)


@pytest.mark.parametrize(("count", "trials"), [(0, 50), (3, 50), (50, 50), (700, 1000)])
def test_the_error_of_a_rate_is_that_of_a_binomial_share(count, trials):
    rate = Rate(count, trials)
    inside = min(max(count, 1), trials - 1) / trials
    assert rate.error == pytest.approx(math.sqrt(inside * (1 - inside) / trials))


def test_a_rate_is_beyond_a_bound_by_three_errors_of_it():
    error = math.sqrt(0.05 * 0.95 / 10_000)
    just, not_quite = (math.ceil(10_000 * (0.05 + k * error)) for k in (3.01, 2.9))
    assert Rate(just, 10_000).above(0.05)
    assert not Rate(not_quite, 10_000).above(0.05)
    assert Rate(10_000 - just, 10_000).below(0.95)
    assert not Rate(10_000 - not_quite, 10_000).below(0.95)


# ---------------------------------------------------------------- many trials


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 100])
@pytest.mark.parametrize("population", [*SYMMETRIC, *SKEWED], ids=named)
def test_intervals_of_means_cover_as_promised_in_many_trials(population, n):
    assert as_promised(intervals.of_means(population, n, MANY, rng(10, n)).covered)


@pytest.mark.slow
def test_a_tenth_narrower_misses_the_promise_in_many_trials():
    found = intervals.of_means(NORMAL, 100, MANY, rng(11), intervals=narrowed(0.1))
    assert not as_promised(found.covered)


@pytest.mark.slow
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("population", SKEWED, ids=named)
@pytest.mark.parametrize("n", [30, 100])
def test_verdicts_are_wrong_in_at_most_5_per_cent_of_many_trials(population, mirror, n):
    asked = population.mirrored() if mirror else population
    assert not worst(verdicts.false_positives(asked, n, MANY, rng(12, n))).above(WRONG)


@pytest.mark.slow
@pytest.mark.parametrize("kind", families.KINDS)
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("k", [5, 10])
def test_large_families_have_any_wrong_verdict_in_at_most_5_per_cent(kind, correlation, k):
    rate = families.error_rate(kind(k), 10, MANY_FAMILIES, rng(13, k), correlation)
    assert not rate.above(WRONG)
