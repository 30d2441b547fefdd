"""Decides whether quantities that vary over seeds have changed, corrected for their number.

All comparisons of a check are judged together. With k of them open, each has an interval of
coverage 1 - 0.01 / k; settled ones leave narrower intervals for the others
(`manyseeds.check.step_down`). Where nothing has changed, chance alone makes a comparison
"changed" in at most one of a hundred checks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy import optimize, stats

from manyseeds.check.accuracy.intervals import SeedComparison, intervals
from manyseeds.check.step_down import step_down
from manyseeds.statistics.estimates import Estimate
from manyseeds.statistics.power import MOST_SEEDS, POWER, seeds_to_detect
from manyseeds.statistics.verdict import LEAST_PAIRS, equivalence

FAMILY_LEVEL = 0.99
"""The least share of checks of an unchanged framework that report no change at all."""

Decision = Literal["changed", "unchanged", "cannot tell"]


@dataclass(frozen=True)
class Judgement:
    """The decision about a comparison, and the interval it rests on.

    Attributes
    ----------
    decision
        "changed", the interval excludes 0 and the difference exceeds the least effect ·
        "unchanged", the interval lies within ± the least effect, or the values are identical ·
        "cannot tell".
    effect, low, high
        Now minus then with its interval; NaN if there is none.
    level
        The interval's coverage.
    seeds_needed
        After "cannot tell": how many seeds would show that nothing has changed (`seeds_to_tell`).
        If the comparison already has that many, how many would settle a change of the observed
        size.
    """

    decision: Decision
    effect: float
    low: float = math.nan
    high: float = math.nan
    level: float = math.nan
    seeds_needed: float = math.nan


def judge_together(comparisons: Sequence[SeedComparison]) -> list[Judgement]:
    """Judge comparisons together, corrected for their number.

    Identical values and comparisons of fewer than `LEAST_PAIRS` seeds do not count in that number:
    the former leave nothing to chance, the latter are never decided.
    """

    def judge(places: Sequence[int], level: float) -> dict[int, Judgement]:
        estimates = intervals([comparisons[place] for place in places], level)
        return {
            place: _judged(comparisons[place], estimate, level)
            for place, estimate in zip(places, estimates, strict=True)
        }

    decided = step_down(
        subject_to_chance(comparisons),
        judge,
        level_among=level_among,
        settled=lambda judgement: judgement.decision != "cannot tell",
    )
    judgements = [
        decided.get(place, _without_interval(comparison))
        for place, comparison in enumerate(comparisons)
    ]
    return [
        replace(judgement, seeds_needed=_seeds_needed(comparison, judgement))
        if judgement.decision == "cannot tell"
        else judgement
        for judgement, comparison in zip(judgements, comparisons, strict=True)
    ]


def subject_to_chance(comparisons: Sequence[SeedComparison]) -> list[int]:
    """Return the places of the comparisons that chance could decide wrongly."""
    return [
        place
        for place, comparison in enumerate(comparisons)
        if comparison.seeds >= LEAST_PAIRS and not comparison.identical
    ]


def level_among(comparisons: int) -> float:
    """Return the coverage of each interval while this many comparisons are open."""
    return 1 - (1 - FAMILY_LEVEL) / max(1, comparisons)


def _without_interval(comparison: SeedComparison) -> Judgement:
    if comparison.identical and comparison.seeds >= LEAST_PAIRS:
        return Judgement("unchanged", 0.0, 0.0, 0.0, 1.0)
    return Judgement("cannot tell", comparison.effect, level=level_among(1))


def _judged(comparison: SeedComparison, estimate: Estimate, level: float) -> Judgement:
    low, high, least = estimate.low, estimate.high, comparison.least_effect
    decision: Decision = "cannot tell"
    if equivalence(low, high, least, comparison.seeds) == "holds":
        decision = "unchanged"
    if (low > 0 or high < 0) and abs(estimate.improvement) > least:
        decision = "changed"
    return Judgement(decision, estimate.improvement, low, high, level)


def _seeds_needed(comparison: SeedComparison, judgement: Judgement) -> float:
    least, sd = comparison.least_effect, comparison.sd
    needed = seeds_to_tell(sd, least, judgement.level)
    if not needed <= comparison.seeds:  # also true for NaN
        return needed
    size = abs(judgement.effect)
    if size < least:
        settled = seeds_to_tell(sd, least - size, judgement.level)
    else:
        settled = seeds_to_detect(size, sd, 0.0, judgement.level)
    return max(settled, comparison.seeds + 1.0)


def seeds_to_tell(sd: float, least_effect: float, level: float, power: float = POWER) -> float:
    """Return how many seeds would show that an unchanged quantity is unchanged.

    For normal differences and Student's interval, which must lie within ± the least effect. With
    the same number of seeds, a change of twice the least effect is found even more often.

    Parameters
    ----------
    sd
        The standard deviation of the difference of two single seeds, one on each side.
    least_effect, level
        The least difference that counts, and the coverage of the interval.
    power
        The probability of showing it.

    Returns
    -------
    float
        A whole number, at least `LEAST_PAIRS`; infinity for more than a million; NaN if the sd is
        unknown.
    """
    if math.isnan(sd):
        return math.nan
    if sd <= 0:
        return float(LEAST_PAIRS)

    def excess_power(seeds: float) -> float:
        margin = least_effect / sd * math.sqrt(seeds) - stats.t.ppf((1 + level) / 2, seeds - 1)
        return float(2 * stats.norm.cdf(margin) - 1 - power)

    if excess_power(LEAST_PAIRS) >= 0:
        return float(LEAST_PAIRS)
    if excess_power(MOST_SEEDS) < 0:
        return math.inf
    return float(math.ceil(optimize.brentq(excess_power, LEAST_PAIRS, MOST_SEEDS)))
