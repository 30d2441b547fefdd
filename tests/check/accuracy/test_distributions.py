"""Comparisons of distributions over seeds: against SciPy, statsmodels and what is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind, ttost_paired

from manyseeds.check.accuracy.intervals import (
    SeedComparison,
    correlation,
    deviations,
    difference_of,
    intervals,
)
from manyseeds.check.accuracy.judgement import (
    FAMILY_LEVEL,
    judge_together,
    level_among,
    seeds_to_tell,
)
from manyseeds.statistics.estimates import Estimate

pytestmark = pytest.mark.filterwarnings("error")

SEEDS = 30
LEAST = 0.005


@pytest.fixture
def draw():
    generator = np.random.default_rng(7)

    def normal(mean=0.76, sd=0.01, seeds=SEEDS):
        return generator.normal(mean, sd, seeds)

    return normal


def paired(then, now, least=LEAST):
    return SeedComparison("paired", np.asarray(then, float), np.asarray(now, float), least)


def unpaired(then, now, least=LEAST):
    return SeedComparison("unpaired", np.asarray(then, float), np.asarray(now, float), least)


def share(diverged_then, diverged_now, seeds=SEEDS):
    sides = [np.arange(seeds) < count for count in (diverged_then, diverged_now)]
    return SeedComparison("shares", sides[0].astype(float), sides[1].astype(float), 0.1)


def only(comparison):
    (answer,) = judge_together([comparison])
    return answer


def test_the_paired_interval_is_hardly_wider_than_students(draw):
    for _ in range(20):
        then = draw()
        now = then + draw(0.002, 0.004)
        (found,) = intervals([paired(then, now)], 0.99)
        known = stats.ttest_rel(now, then).confidence_interval(0.99)
        assert found.improvement == pytest.approx((now - then).mean())
        assert found.low <= known.low + 1e-12
        assert known.high - 1e-12 <= found.high
        assert found.high - found.low < 1.35 * (known.high - known.low)


def test_the_unpaired_interval_is_hardly_wider_than_welchs(draw):
    for _ in range(20):
        then, now = draw(sd=0.01), draw(sd=0.02, seeds=25)
        (found,) = intervals([unpaired(then, now)], 0.99)
        known = stats.ttest_ind(now, then, equal_var=False).confidence_interval(0.99)
        assert found.low <= known.low
        assert known.high <= found.high
        assert found.high - found.low < 1.35 * (known.high - known.low)


def test_the_difference_of_two_student_intervals_is_welchs_with_the_fewer_degrees_of_freedom(draw):
    then, now = draw(), draw(0.77, 0.02)

    def student(values):
        error = stats.sem(values)
        low, high = stats.t.interval(0.95, SEEDS - 1, values.mean(), error)
        return Estimate(SEEDS, values.mean(), low, high)

    found = difference_of(student(then), student(now))
    half = stats.t.ppf(0.975, SEEDS - 1) * math.hypot(stats.sem(then), stats.sem(now))
    effect = now.mean() - then.mean()
    assert found == pytest.approx((SEEDS, effect, effect - half, effect + half))


@pytest.mark.parametrize(("make", "tost"), [(paired, ttost_paired), (unpaired, ttost_ind)])
def test_unchanged_is_what_two_one_sided_tests_say(draw, make, tost):
    agreed = []
    for sd in np.linspace(0.0005, 0.02, 60):
        then, now = draw(sd=sd), draw(sd=sd)
        p_value = tost(now, then, -LEAST, LEAST)[0]
        shown = only(make(then, now)).decision == "unchanged"
        assert not shown or p_value < (1 - FAMILY_LEVEL) / 2
        agreed.append(shown == (p_value < (1 - FAMILY_LEVEL) / 2))
    assert np.mean(agreed) > 0.85


def test_deviations_are_those_of_brown_and_forsythe(draw):
    assert deviations(np.array([1.0, 2.0, 4.0])).tolist() == [1, 0, 2]
    then, now = np.exp(100 * draw()), np.exp(100 * draw())
    known = stats.levene(then, now, center="median").statistic
    found = stats.ttest_ind(deviations(then), deviations(now)).statistic ** 2
    assert found == pytest.approx(known)


def test_a_spread_has_changed_where_brown_and_forsythes_test_says_so(draw):
    agreed = []
    for factor in np.geomspace(1, 5, 60):
        then, now = draw(), draw(sd=0.01 * factor)
        p_value = stats.levene(then, now, center="median").pvalue
        sides = [deviations(each) for each in (then, now)]
        (found,) = intervals([unpaired(*sides)], 0.99)
        agreed.append((p_value < 0.01) == (found.low > 0 or found.high < 0))
    assert np.mean(agreed) > 0.85


@pytest.mark.parametrize("seeds", [10, 12])
@pytest.mark.parametrize("level", [0.99, 0.9999])
def test_a_share_never_changes_where_the_exact_test_does_not_say_so(seeds, level):
    rejected = 0
    for then in range(seeds + 1):
        for now in range(then + 1, seeds + 1):
            (found,) = intervals([share(then, now, seeds)], level)
            if found.low > 0:
                table = [[then, now], [seeds - then, seeds - now]]
                assert stats.boschloo_exact(table).pvalue < 1 - level
                rejected += 1
    assert rejected


def test_a_change_has_its_sign_and_interval(draw):
    then = draw()
    answer = only(paired(then, then - 0.02 + draw(0, 0.002)))
    assert answer.decision == "changed"
    assert answer.low < answer.effect < answer.high < 0
    assert answer.effect == pytest.approx(-0.02, abs=0.002)


def test_a_certain_change_below_the_least_effect_is_unchanged(draw):
    then = draw()
    answer = only(paired(then, then + 0.001 + draw(0, 1e-4)))
    assert answer.low > 0
    assert answer.decision == "unchanged"


def test_a_certain_change_on_either_side_of_the_least_effect_is_not_decided(draw):
    then = draw()
    noise = draw(0, 0.002)
    now = then + 0.9 * LEAST + noise - noise.mean()
    answer = only(paired(then, now))
    assert answer.low > 0
    assert answer.high > LEAST
    assert answer.decision == "cannot tell"


def test_more_comparisons_need_wider_intervals_and_settled_ones_make_room(draw):
    noise = draw(0, 1)
    noise = (noise - noise.mean()) / noise.std(ddof=1) * 0.01
    ends = [intervals([paired(0 * noise, noise)], level_among(k))[0] for k in (1, 2)]
    widths = [max(end.high, -end.low) for end in ends]
    between = sum(widths) / 2  # beyond the interval of one, within that of two
    borderline = paired(0 * noise, noise + between)
    hopeless = paired(0 * noise, 10 * noise)
    clear = paired(0 * noise, noise + 1)
    assert only(borderline).decision == "changed"
    assert judge_together([borderline, hopeless])[0].decision == "cannot tell"
    assert judge_together([borderline, hopeless])[0].level == level_among(2)
    first, second = judge_together([borderline, clear])
    assert (first.decision, second.decision) == ("changed", "changed")
    assert (first.level, second.level) == (level_among(1), level_among(2))


def test_identical_values_cost_the_others_nothing(draw):
    same = draw()
    other = paired(same, same + draw(0, 0.01))
    alone = only(other)
    together = judge_together([paired(same, same)] * 50 + [other])[-1]
    assert math.isnan(alone.seeds_needed)
    assert math.isnan(together.seeds_needed)  # NaN is not equal to itself: not from Python 3.13 on
    assert replace(together, seeds_needed=0.0) == replace(alone, seeds_needed=0.0)
    identical = only(paired(same, same))
    assert (identical.decision, identical.effect, identical.low) == ("unchanged", 0, 0)


def test_the_same_change_of_every_seed_is_a_change(draw):
    then = np.round(draw() * 1024) / 1024
    answer = only(paired(then, then - 1 / 64))
    assert (answer.decision, answer.low, answer.high) == ("changed", -1 / 64, -1 / 64)


@pytest.mark.parametrize("sd", [0.01, 0.05])
@pytest.mark.parametrize("level", [0.99, 0.9998])
def test_the_seeds_needed_show_no_change_with_the_stated_power(sd, level):
    seeds = int(seeds_to_tell(sd, LEAST, level))
    generator = np.random.default_rng(1)
    values = generator.normal(0, sd, (2_000, seeds))
    half = stats.t.ppf((1 + level) / 2, seeds - 1) * stats.sem(values, axis=1)
    shown = (np.abs(values.mean(axis=1)) + half < LEAST).mean()
    assert shown == pytest.approx(0.8, abs=0.035)


def test_a_change_near_the_least_effect_needs_more_seeds_than_no_change(draw):
    noise = draw(0, 0.002)
    then, middle = draw(), noise - noise.mean()
    nearly, just = (only(paired(then, then + share * LEAST + middle)) for share in (0.9, 0.5))
    assert just.decision == "unchanged"
    assert nearly.decision == "cannot tell"
    assert nearly.seeds_needed == seeds_to_tell(middle.std(ddof=1), 0.1 * LEAST, nearly.level)
    assert nearly.seeds_needed > SEEDS >= seeds_to_tell(0.002, LEAST, nearly.level)


def test_the_seeds_needed_at_the_limits():
    assert seeds_to_tell(0.0, LEAST, 0.99) == 5
    assert seeds_to_tell(1e-6, LEAST, 0.99) == 5
    assert seeds_to_tell(100.0, LEAST, 0.99) == math.inf
    assert math.isnan(seeds_to_tell(math.nan, LEAST, 0.99))


@pytest.mark.parametrize("seeds", [0, 1, 4])
@pytest.mark.parametrize("make", [paired, unpaired])
def test_too_few_seeds_cannot_tell_even_where_they_are_identical(seeds, make):
    answer = only(make(np.ones(seeds), np.ones(seeds)))
    assert answer.decision == "cannot tell"
    assert math.isnan(answer.low)


@pytest.mark.parametrize("make", [paired, unpaired])
def test_ties_are_no_trouble(make):
    assert only(make(np.full(9, 0.1), np.full(9, 0.1))).decision == "unchanged"
    assert only(make(np.full(9, 0.1), np.full(9, 0.2))).decision == "changed"
    nearly = np.append(np.full(29, 0.1), 0.1005)
    answer = only(make(np.full(30, 0.1), nearly))
    assert answer.decision == "unchanged"
    assert answer.low <= 0 < answer.high < LEAST


def test_no_comparisons_are_no_trouble():
    assert judge_together([]) == []
    assert intervals([], 0.99) == []


@pytest.mark.parametrize(
    ("then", "now", "decision"),
    [
        (0, 0, "unchanged"),
        (30, 30, "unchanged"),
        (0, 2, "cannot tell"),
        (1, 3, "cannot tell"),
        (0, 15, "changed"),
        (30, 0, "changed"),
        (0, 7, "changed"),
    ],
)
def test_shares_of_diverged_seeds(then, now, decision):
    assert only(share(then, now)).decision == decision


def test_a_correlation_of_what_does_not_vary_is_unknown():
    assert math.isnan(correlation(np.ones(5), np.arange(5.0)))
    assert correlation(np.arange(5.0), -np.arange(5.0)) == pytest.approx(-1)
