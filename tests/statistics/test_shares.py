"""Shares and the probability of improvement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from manyseeds.statistics.shares import probability_of_improvement, share_of


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_count_is_scipys_exact_one(counted):
    count, n = counted
    found = share_of([1.0] * count + [0.0] * (n - count))
    exact = stats.binomtest(count, n).proportion_ci(0.95, method="exact")
    assert (found.share, found.low, found.high) == pytest.approx((count / n, *exact), abs=1e-9)


def test_ties_count_half_and_lost_pairs_not_at_all():
    found = probability_of_improvement([0.1, -0.1, 0.0, 0.2, np.nan])
    assert found.share == pytest.approx(2.5 / 4)


def test_several_backends_do_not_make_more_seeds():
    once = np.random.default_rng(0).normal(0.1, 1, 50)
    assert probability_of_improvement([once] * 3) == probability_of_improvement(once)


def test_rounding_is_a_tie():
    assert probability_of_improvement([1e-16, -1e-16]).share == 0.5


def test_nothing_has_no_share():
    assert all(np.isnan(probability_of_improvement([np.nan, np.nan])))


def test_it_is_the_normal_closed_form():
    gains = np.random.default_rng(1).normal(0.5, 1, 20_000)
    found = probability_of_improvement(gains)
    assert found.low < stats.norm.cdf(0.5) < found.high
