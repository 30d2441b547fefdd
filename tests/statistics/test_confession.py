"""The best of k against brute force."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from manyseeds.statistics import best_of, confession_table
from manyseeds.statistics.confession import _at_most, tries_for_even_chance


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=7))
def test_the_best_of_k_is_the_mean_over_all_subsets(counts):
    values = np.array(counts) / 10
    curve = best_of(values).set_index("k")
    for k in range(1, len(values) + 1):
        best = [max(chosen) for chosen in combinations(values, k)]
        assert curve.loc[k, "expected"] == pytest.approx(np.mean(best), abs=1e-9)
        ranked = sorted(best)
        assert curve.loc[k, "median"] == ranked[(len(ranked) - 1) // 2]
        assert curve.loc[k, "low"] == ranked[-(-len(ranked) // 10) - 1]


def test_the_best_of_one_is_the_mean_and_of_all_the_largest():
    values = np.random.default_rng(0).normal(size=80)
    curve = best_of(values)
    assert curve["expected"].iloc[0] == pytest.approx(values.mean())
    assert curve["expected"].iloc[-1] == pytest.approx(values.max())
    assert (np.diff(curve["expected"]) >= 0).all()


def test_normal_values_grow_as_the_expected_maximum_of_normals():
    """The best of five normals is expected 1.16296 standard deviations above the mean."""
    values = np.random.default_rng(1).normal(size=4000)
    curve = best_of(values).set_index("k")
    assert curve.loc[5, "expected"] == pytest.approx(1.16296, abs=0.05)


def test_a_long_curve_keeps_its_first_hundred_points_and_its_last():
    curve = best_of(np.arange(3000.0))
    assert curve["k"].iloc[:99].tolist() == list(range(1, 100))
    assert curve["k"].iloc[-1] == 3000
    assert len(curve) < 400


def test_infinity_makes_the_mean_infinite_and_not_the_median():
    curve = best_of([1.0, 2.0, 3.0, np.inf, np.inf, np.nan])
    assert len(curve) == 5
    assert curve["expected"].tolist() == [np.inf] * 5
    assert curve["median"].tolist() == [3.0, np.inf, np.inf, np.inf, np.inf]


def test_no_values_have_an_empty_curve():
    assert best_of([]).empty
    assert best_of([np.nan]).empty
    assert best_of([]).dtypes.equals(best_of([1.0]).dtypes)


def test_the_curve_over_all_backends_is_their_mean_and_no_longer(suite, records):
    cells = {
        ("old", "5-6", "jax"): [0.90] * 4,
        ("new", "5-6", "jax"): [0.91, 0.92, 0.93, 0.94],
        ("old", "5-6", "pytorch"): [0.90] * 4,
        ("new", "5-6", "pytorch"): [0.93, 0.94, 0.95, "failed"],
    }
    table = confession_table(records(cells), suite())
    table = table[table["quantity"] == "improvement"]
    together = table[table["backend"] == "all"]
    assert together["k"].tolist() == [1, 2, 3]
    assert together["expected"].iloc[0] == pytest.approx((0.025 + 0.04) / 2)
    assert together["expected"].iloc[2] == pytest.approx((0.0375 + 0.05) / 2)


@pytest.mark.parametrize(("reached", "n"), [(1, 20), (3, 40), (9, 30)])
def test_the_tries_needed_are_the_median_of_a_geometric_distribution(reached, n):
    values = np.array([5.0] * reached + [1.0] * (n - reached))
    k, low, high = tries_for_even_chance(values, 4.0)
    exact = stats.binomtest(reached, n).proportion_ci(method="exact")
    for found, share in ((k, reached / n), (low, exact.high), (high, exact.low)):
        # The whole number of tries by which half of all searchers have found one.
        assert np.ceil(found - 1e-9) == stats.geom.median(share)
        if found > 1:
            assert 1 - (1 - share) ** found == pytest.approx(0.5)


def test_one_try_is_enough_if_half_reach_the_figure_and_none_is_if_no_try_does():
    assert tries_for_even_chance([1.0, 5.0], 5.0)[0] == 1
    k, low, high = tries_for_even_chance([1.0] * 30, 5.0)
    assert (k, high) == (np.inf, np.inf)
    assert np.isfinite(low)  # 30 misses do not say that it cannot be
    assert np.isnan(tries_for_even_chance([], 2.0)).all()


def test_simulated_searchers_succeed_as_often_as_computed():
    rng = np.random.default_rng(0)
    chance = 0.07
    k = tries_for_even_chance(rng.random(200_000) < chance, 1.0)[0]
    tried = rng.random((20_000, round(k))) < chance
    expected = 1 - (1 - chance) ** round(k)
    assert tried.any(axis=1).mean() == pytest.approx(expected, abs=0.015)
    assert expected == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("n", [12, 400])
def test_the_chance_that_the_best_lies_below_a_rank_is_scipys_hypergeometric(n):
    told = np.array([1, 2, 5, n // 3, n - 1, n])
    found = _at_most(n, told)
    for row, k in zip(found, told, strict=True):
        # All k of n drawn without replacement are among the i smallest.
        expected = stats.hypergeom.pmf(k, n, np.arange(1, n + 1), k)
        np.testing.assert_allclose(row, expected, atol=1e-9)


def test_ranks_that_the_best_never_has_are_left_out_without_a_trace():
    values = np.random.default_rng(3).gamma(2, size=900)
    curve = best_of(values).set_index("k")
    n = len(values)
    for k in curve.index[[39, 120, -20]]:
        chance = np.diff(stats.hypergeom.pmf(k, n, np.arange(n + 1), k))
        assert curve.loc[k, "expected"] == pytest.approx(np.sort(values) @ chance, rel=1e-9)


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=30), st.randoms())
def test_tries_have_no_order_and_no_unit(counts, random):
    shuffled = list(counts)
    random.shuffle(shuffled)
    curve = best_of(np.array(counts) / 8)
    pd.testing.assert_frame_equal(curve, best_of(np.array(shuffled) / 8))
    scaled = best_of(np.array(counts) / 4 + 1)
    numbers = [name for name in curve.columns if name != "k"]
    pd.testing.assert_frame_equal(2 * curve[numbers] + 1, scaled[numbers])


def test_without_records_there_is_no_curve(suite, records):
    assert confession_table(records({}), suite()).empty
