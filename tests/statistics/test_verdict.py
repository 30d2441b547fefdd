"""The bounds of a verdict."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import norm

from manyseeds.statistics import seeds_to_settle, verdict
from manyseeds.statistics.verdict import LEAST_PAIRS

effects = st.floats(1e-4, 0.1)
numbers = st.floats(-0.2, 0.2)


@given(effects, st.floats(1e-6, 0.1), st.floats(0, 0.1))
def test_an_interval_wholly_above_the_least_effect_holds(least, above, width):
    assert verdict(least + above, least + above + width, least, 100) == "holds"


@given(effects, st.floats(1e-6, 0.1), st.floats(0, 0.1))
def test_an_interval_wholly_below_zero_is_reversed(least, below, width):
    assert verdict(-below - width, -below, least, 100) == "reversed"


@given(effects, st.floats(0, 0.999), st.floats(0, 0.999))
def test_an_interval_around_zero_within_the_least_effect_is_negligible(least, left, right):
    assert verdict(-left * least, right * least, least, 100) == "negligible"


@given(effects)
def test_an_interval_that_touches_a_bound_is_not_beyond_it(least):
    assert verdict(least, 2 * least, least, 100) == "inconclusive"
    assert verdict(-least, least, least, 100) == "inconclusive"
    assert verdict(-least, 0.0, least, 100) == "inconclusive"


@given(numbers, numbers, effects)
def test_every_interval_has_the_verdict_that_its_bounds_say(first, second, least):
    low, high = sorted((first, second))
    found = verdict(low, high, least, 100)
    assert (found == "holds") == (low > least)
    assert (found == "reversed") == (high < 0)
    assert (found == "negligible") == (high >= 0 and low > -least and high < least)


@pytest.mark.parametrize("pairs", range(LEAST_PAIRS))
def test_too_few_pairs_conclude_nothing(pairs):
    assert verdict(0.05, 0.06, 0.01, pairs) == "inconclusive"
    assert verdict(0.05, 0.06, 0.01, LEAST_PAIRS) == "holds"


def test_without_an_interval_nothing_is_concluded():
    assert verdict(math.nan, math.nan, 0.01, 100) == "inconclusive"


def test_the_seeds_that_settle_a_claim_are_those_of_the_textbook():
    """The half width z sd / sqrt(n) has shrunk to the distance from the nearest bound."""
    z = norm.ppf(0.975)
    assert seeds_to_settle(0.013, 0.02, 0.01) == math.ceil((z * 0.02 / 0.003) ** 2)
    assert seeds_to_settle(0.008, 0.02, 0.01) == math.ceil((z * 0.02 / 0.002) ** 2)
    assert seeds_to_settle(-0.004, 0.02, 0.01) == math.ceil((z * 0.02 / 0.006) ** 2)
    assert seeds_to_settle(-0.03, 0.02, 0.01) == LEAST_PAIRS


@given(numbers, st.floats(1e-4, 0.1), effects)
def test_with_that_many_seeds_the_verdict_is_settled(mean, sd, least):
    seeds = seeds_to_settle(mean, sd, least)
    assume(math.isfinite(seeds) and seeds < 1e12)
    half = 1.959964 * sd / math.sqrt(seeds * 1.0001)
    assert verdict(mean - half, mean + half, least, 100) != "inconclusive"


@given(st.floats(1e-3, 0.05), st.floats(1.3, 50))
def test_fewer_seeds_would_not_do(beyond, spread):
    mean, sd = 0.01 + beyond, beyond * spread
    seeds = seeds_to_settle(mean, sd, 0.01)
    half = 1.959964 * sd / math.sqrt((seeds - 1) * 0.9999)
    assert verdict(mean - half, mean + half, 0.01, 100) == "inconclusive"


def test_a_mean_on_the_bound_is_never_settled():
    assert seeds_to_settle(0.01, 0.02, 0.01) == math.inf
    assert math.isnan(seeds_to_settle(math.nan, 0.02, 0.01))
