"""Claims judged together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyseeds.statistics import mean_intervals, verdict
from manyseeds.statistics.family import judged


def improvements(means, n=40, sd=0.01, seed=0):
    return np.random.default_rng(seed).normal(means, sd, (n, len(means)))


def test_one_claim_alone_has_its_usual_interval():
    table = improvements([0.006])
    found, alone = judged(table, [0.002]), mean_intervals(table)
    assert (found.low[0], found.high[0]) == (alone.low[0], alone.high[0])
    assert found.level[0] == 0.95
    assert found.verdicts == (verdict(alone.low[0], alone.high[0], 0.002, 40),)


def test_claims_that_are_settled_make_room_for_the_others():
    # Just beyond its bound at 95 %, and not at the 98.75 % that four open claims would ask for.
    weak = improvements([0.0055], seed=4)
    alone = mean_intervals(weak)
    least = float(alone.low[0]) - 1e-4
    strong = improvements([0.05, -0.05, 0.0], sd=0.001, seed=1)
    table = np.concatenate([strong, weak], axis=1)
    assert mean_intervals(weak, 1 - 0.05 / 4).low[0] < least
    found = judged(table, [least] * 4)
    assert found.verdicts == ("holds", "reversed", "negligible", "holds")
    np.testing.assert_allclose(found.level, [0.9875, 0.9875, 0.9875, 0.95])


def test_claims_that_stay_open_keep_the_wide_interval():
    table = improvements([0.002, 0.002, 0.05])
    found = judged(table, [0.002] * 3)
    assert found.verdicts == ("inconclusive", "inconclusive", "holds")
    np.testing.assert_allclose(found.level, [0.975, 0.975, 1 - 0.05 / 3])


def test_a_claim_without_pairs_is_open_and_counts():
    table = np.concatenate([improvements([0.05]), np.full((40, 1), np.nan)], axis=1)
    found = judged(table, [0.002, 0.002])
    assert found.verdicts == ("holds", "inconclusive")
    assert found.level[0] == 0.975
    assert np.isnan(found.low[1])


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(5)), st.integers(0, 100))
def test_the_order_of_claims_does_not_matter(order, seed):
    table = improvements([0.004, 0.01, -0.004, 0.0, 0.002], n=20, seed=seed)
    straight, turned = judged(table, [0.002] * 5), judged(table[:, list(order)], [0.002] * 5)
    assert [straight.verdicts[claim] for claim in order] == list(turned.verdicts)
    np.testing.assert_allclose(straight.level[list(order)], turned.level)


@pytest.mark.parametrize("bounds", [("low", np.greater), ("high", np.less)])
def test_no_corrected_interval_is_narrower_than_the_plain_one(bounds):
    table = improvements([0.0, 0.002, 0.004])
    name, beyond = bounds
    plain, found = getattr(mean_intervals(table), name), getattr(judged(table, [0.002] * 3), name)
    assert not beyond(found, plain).any()
