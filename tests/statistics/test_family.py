"""Claims judged together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyseeds.statistics import mean_intervals, verdict
from manyseeds.statistics.estimates import Estimate
from manyseeds.statistics.family import FamilyClaim, judge_family


def question(column, least, **kind):
    def estimate(level):
        found = mean_intervals(column, level)
        return Estimate(*(field[0] for field in (found.n, found.estimate, found.low, found.high)))

    return FamilyClaim(estimate, least, **kind)


def family(table, least):
    return judge_family(
        [question(column, each) for column, each in zip(table.T, least, strict=True)]
    )


def verdicts(found):
    return tuple(each.verdict for each in found)


def levels(found):
    return [each.level for each in found]


def improvements(means, n=40, sd=0.01, seed=0):
    return np.random.default_rng(seed).normal(means, sd, (n, len(means)))


def test_one_claim_alone_has_its_usual_interval():
    table = improvements([0.006])
    (found,), alone = family(table, [0.002]), mean_intervals(table)
    assert (found.low, found.high) == (alone.low[0], alone.high[0])
    assert found.level == 0.95
    assert found.verdict == verdict(alone.low[0], alone.high[0], 0.002, 40)


def test_claims_that_are_settled_make_room_for_the_others():
    # Just beyond its bound at 95 %, and not at the 98.75 % that four open claims would ask for.
    weak = improvements([0.0055], seed=4)
    alone = mean_intervals(weak)
    least = float(alone.low[0]) - 1e-4
    strong = improvements([0.05, -0.05, 0.0], sd=0.001, seed=1)
    table = np.concatenate([strong, weak], axis=1)
    assert mean_intervals(weak, 1 - 0.05 / 4).low[0] < least
    found = family(table, [least] * 4)
    assert verdicts(found) == ("holds", "reversed", "negligible", "holds")
    np.testing.assert_allclose(levels(found), [0.9875, 0.9875, 0.9875, 0.95])


def test_claims_that_stay_open_keep_the_wide_interval():
    table = improvements([0.002, 0.002, 0.05])
    found = family(table, [0.002] * 3)
    assert verdicts(found) == ("inconclusive", "inconclusive", "holds")
    np.testing.assert_allclose(levels(found), [0.975, 0.975, 1 - 0.05 / 3])


def test_a_claim_without_pairs_is_open_and_counts():
    table = np.concatenate([improvements([0.05]), np.full((40, 1), np.nan)], axis=1)
    found = family(table, [0.002, 0.002])
    assert verdicts(found) == ("holds", "inconclusive")
    assert found[0].level == 0.975
    assert np.isnan(found[1].low)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(5)), st.integers(0, 100))
def test_the_order_of_claims_does_not_matter(order, seed):
    table = improvements([0.004, 0.01, -0.004, 0.0, 0.002], n=20, seed=seed)
    straight, turned = family(table, [0.002] * 5), family(table[:, list(order)], [0.002] * 5)
    assert [straight[claim].verdict for claim in order] == list(verdicts(turned))
    assert [straight[claim].level for claim in order] == levels(turned)


@pytest.mark.parametrize("bounds", [("low", np.greater), ("high", np.less)])
def test_no_corrected_interval_is_narrower_than_the_plain_one(bounds):
    table = improvements([0.0, 0.002, 0.004])
    name, beyond = bounds
    plain = getattr(mean_intervals(table), name)
    found = [getattr(each, name) for each in family(table, [0.002] * 3)]
    assert not beyond(found, plain).any()


def test_equivalence_is_judged_by_the_interval_of_every_other_claim():
    same, other = improvements([0.0002], sd=0.002)[:, 0], improvements([0.02], sd=0.002)[:, 0]
    alike, apart, open_ = judge_family(
        [
            question(same, 0.002, equivalence=True),
            question(other, 0.002, equivalence=True),
            question(same, 0.0004, equivalence=True),
        ]
    )
    assert (alike.verdict, apart.verdict, open_.verdict) == ("holds", "reversed", "inconclusive")
    assert open_.level == pytest.approx(0.95)
    alone = mean_intervals(same, 0.95)
    assert (open_.low, open_.high) == pytest.approx((alone.low[0], alone.high[0]))


@pytest.mark.parametrize("mean", [0.0, 0.0004, -0.0003, 0.0008])
def test_two_one_sided_tests_agree_with_statsmodels(mean):
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    values = improvements([mean], n=60, seed=3)[:, 0]
    for margin in np.linspace(0.001, 0.006, 26):
        p, *_ = weightstats.DescrStatsW(values).ttost_mean(-margin, margin)
        if abs(np.log(p / 0.025)) > 0.2:  # the bounds of t and BCa are not quite the same
            (found,) = judge_family([question(values, margin, equivalence=True)])
            assert (found.verdict == "holds") == (p < 0.025)
