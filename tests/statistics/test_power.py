"""Power and the seeds a claim needs, against statsmodels and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyseeds.statistics import mean_intervals
from manyseeds.statistics.power import power, seeds_to_detect
from manyseeds.statistics.verdict import LEAST_PAIRS


@pytest.mark.parametrize(("effect", "n"), [(0.3, 20), (0.5, 34), (0.8, 12), (0.05, 100)])
def test_the_power_of_a_paired_t_test_is_statsmodels(effect, n):
    weightstats = pytest.importorskip("statsmodels.stats.power")
    theirs = weightstats.TTestPower().power(effect, n, 0.025, alternative="larger")
    assert power(n, effect, 1.0, 0.0) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("effect", [0.2, 0.35, 0.5, 1.0])
def test_the_seeds_needed_are_statsmodels(effect):
    weightstats = pytest.importorskip("statsmodels.stats.power")
    theirs = weightstats.TTestPower().solve_power(
        effect, alpha=0.025, power=0.8, alternative="larger"
    )
    assert seeds_to_detect(effect, 1.0, 0.0) == math.ceil(theirs)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.003, 0.1), st.floats(1e-3, 0.05))
def test_so_many_seeds_suffice_and_one_fewer_does_not(effect, sd):
    seeds = seeds_to_detect(effect, sd, 0.002)
    assert power(seeds, effect, sd, 0.002) >= 0.8
    assert seeds == LEAST_PAIRS or power(seeds - 1, effect, sd, 0.002) < 0.8


@pytest.mark.parametrize("sd", [1e-3, 1e-5, 1e-8, 1e-17, 5e-324])
def test_a_spread_that_is_next_to_nothing_needs_the_fewest_seeds(sd):
    assert seeds_to_detect(0.1, sd, 0.01) == LEAST_PAIRS
    assert power(LEAST_PAIRS, 0.1, sd, 0.01) == pytest.approx(1.0, abs=1e-6)
    assert power(LEAST_PAIRS, 0.01, sd, 0.1) == pytest.approx(0.0, abs=1e-6)


def test_an_effect_that_is_not_beyond_the_least_one_is_never_shown():
    assert seeds_to_detect(0.002, 0.01, 0.002) == math.inf
    assert seeds_to_detect(0.0020001, 0.01, 0.002) == math.inf
    assert math.isnan(seeds_to_detect(math.nan, 0.01, 0.002))


def test_without_spread_few_seeds_are_enough():
    assert seeds_to_detect(0.01, 0.0, 0.002) == LEAST_PAIRS
    assert power(LEAST_PAIRS - 1, 0.01, 0.0, 0.002) == 0


@pytest.mark.parametrize("seeds", [20, 50])
def test_verdicts_hold_as_often_as_it_says(seeds):
    trials, effect, sd, least = 1500, 0.006, 0.01, 0.002
    gains = np.random.default_rng(7).normal(effect, sd, (seeds, trials))
    held = np.mean(mean_intervals(gains).low > least)
    said = power(seeds, effect, sd, least)
    assert held == pytest.approx(said, abs=0.03 + 3 * math.sqrt(said * (1 - said) / trials))
