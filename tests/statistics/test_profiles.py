"""Performance profiles."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from manyseeds.statistics.profiles import performance_profile, performance_ratios

costs = arrays(
    np.float64, st.tuples(st.integers(1, 8), st.integers(1, 4)), elements=st.floats(0.1, 9)
)


def test_three_problems_by_hand():
    # Recipe 0 is best on two problems; recipe 1 takes twice as long there, and does not solve one.
    table = [[1.0, 2.0], [3.0, 6.0], [5.0, np.nan]]
    np.testing.assert_array_equal(performance_ratios(table), [[1, 2], [1, 2], [1, np.inf]])
    np.testing.assert_allclose(
        performance_profile(table, [1, 2, 100]), [[1, 0], [1, 2 / 3], [1, 2 / 3]]
    )


@given(costs, st.lists(st.floats(1, 20), min_size=1, max_size=5))
def test_profiles_count_problem_by_problem(table, factors):
    found = performance_profile(table, factors)
    for row, factor in enumerate(factors):
        for recipe in range(table.shape[1]):
            within = [cost[recipe] <= factor * min(cost) * (1 + 1e-9) for cost in table]
            just = [cost[recipe] <= factor * min(cost) * (1 - 1e-9) for cost in table]
            assert np.mean(just) <= found[row, recipe] <= np.mean(within)


def test_a_problem_that_no_recipe_solves_counts_for_none():
    np.testing.assert_array_equal(
        performance_profile([[1, 1], [np.nan, np.inf]], [1, 1e9]), np.full((2, 2), 0.5)
    )


def test_a_cost_of_zero_is_infinitely_better():
    np.testing.assert_array_equal(performance_ratios([[0.0, 0.0, 1.0]]), [[1, 1, np.inf]])


@given(costs, st.floats(0.1, 10))
def test_units_do_not_matter_and_profiles_grow(table, unit):
    factors = np.linspace(1, 20, 7)
    found = performance_profile(table, factors)
    np.testing.assert_allclose(performance_profile(table * unit, factors), found)
    assert (np.diff(found, axis=0) >= 0).all()
    assert found[0].sum() >= 1 - 1e-12  # somebody is best on every problem
