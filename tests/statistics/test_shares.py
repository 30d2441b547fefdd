"""Shares with exact intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from manyseeds.statistics.shares import share_of


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_count_is_scipys_exact_one(counted):
    count, n = counted
    found = share_of([1.0] * count + [0.0] * (n - count))
    exact = stats.binomtest(count, n).proportion_ci(0.95, method="exact")
    assert (found.share, found.low, found.high) == pytest.approx((count / n, *exact), abs=1e-9)


@pytest.mark.parametrize(("count", "n"), [(1, 5), (682, 925), (19, 20)])
def test_a_share_at_a_bound_of_the_interval_gives_so_many_in_one_case_of_forty(count, n):
    found = share_of([1.0] * count + [0.0] * (n - count))
    assert stats.binom.sf(count - 1, n, found.low) == pytest.approx(0.025)
    assert stats.binom.cdf(count, n, found.high) == pytest.approx(0.025)


@pytest.mark.parametrize("n", [1, 5, 40])
def test_all_of_n_have_the_closed_form(n):
    found = share_of([1.0] * n)
    assert (found.low, found.high) == pytest.approx((0.025 ** (1 / n), 1.0))


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=30))
def test_the_opposite_share_has_the_opposite_interval(values):
    found, other = share_of(values), share_of([1 - value for value in values])
    assert other == pytest.approx((1 - found.share, 1 - found.high, 1 - found.low), abs=1e-9)


def test_halves_lie_between_the_counts_about_them():
    below, half, above = (share_of([1.0] * 5 + [x] + [0.0] * 4) for x in (0.0, 0.5, 1.0))
    assert below.share < half.share < above.share
    assert below.low < half.low < above.low
    assert below.high < half.high < above.high


def test_no_values_have_no_share():
    assert all(np.isnan(share_of([np.nan, np.nan])))
