"""The best of k against brute force."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyseeds.statistics import best_of, confession_table


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


def test_without_records_there_is_no_curve(suite, records):
    assert confession_table(records({}), suite()).empty
