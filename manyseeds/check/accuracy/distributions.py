"""Whether a quantity that seeds scatter has changed: differences of means, spreads and shares.

All comparisons of a check are judged together. With k of them still open, each has an interval of
coverage 1 - 0.01 / k; those that are settled leave fewer, and narrower intervals, for the others
(Holm 1979), as in `manyseeds.statistics.family`. What is called changed by chance alone is so in
one family of a hundred at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from scipy import optimize, stats

from manyseeds.statistics.bootstrap import Floats, mean_intervals_at
from manyseeds.statistics.estimates import Estimate, side_by_side
from manyseeds.statistics.power import MOST_SEEDS, POWER, seeds_to_detect
from manyseeds.statistics.shares import shares_at
from manyseeds.statistics.verdict import LEAST_PAIRS, equivalence

FAMILY_LEVEL = 0.99
"""How often a check of an unchanged framework finds no change at all, at least."""

Kind = Literal["paired", "unpaired", "shares"]
Outcome = Literal["changed", "unchanged", "cannot tell"]


@dataclass(frozen=True)
class Comparison:
    """One quantity, then and now.

    Attributes
    ----------
    kind
        "paired", means over the same seeds in the same order · "unpaired", means over other seeds ·
        "shares", means of zeros and ones.
    then, now
        Finite values, [seeds].
    least_effect
        The least difference of the means that counts, positive.
    """

    kind: Kind
    then: Floats
    now: Floats
    least_effect: float

    @property
    def seeds(self) -> int:
        """The seeds that an interval rests on: the fewer of both sides."""
        return min(len(self.then), len(self.now))

    @property
    def identical(self) -> bool:
        """Whether nothing differs, to the last bit."""
        return self.kind != "unpaired" and np.array_equal(self.then, self.now)

    @property
    def effect(self) -> float:
        """Now minus then; NaN where one of them has no value."""
        if not self.seeds:
            return math.nan
        if self.kind == "paired":  # else rounding makes two means of equal differences differ
            return float((self.now - self.then).mean())
        return float(self.now.mean() - self.then.mean())

    @property
    def sd(self) -> float:
        """Of the difference of one seed now and one then; NaN of fewer than two."""
        if self.seeds < 2:
            return math.nan
        if self.kind == "paired":
            return float((self.now - self.then).std(ddof=1))
        return float(np.hypot(self.now.std(ddof=1), self.then.std(ddof=1)))


@dataclass(frozen=True)
class Judged:
    """What became of a comparison.

    Attributes
    ----------
    outcome
        "changed", the interval excludes 0 and the difference exceeds the least effect ·
        "unchanged", the interval lies within ± the least effect, or nothing differs ·
        "cannot tell".
    effect, low, high
        Now minus then with the interval it was judged by; NaN where there is none.
    level
        The interval's coverage.
    seeds_needed
        Where it cannot be told: how many would tell that nothing has changed (`seeds_to_tell`), or,
        where those there are should have, how many would settle a change of the size found.
    """

    outcome: Outcome
    effect: float
    low: float = math.nan
    high: float = math.nan
    level: float = math.nan
    seeds_needed: float = math.nan


def judged(comparisons: Sequence[Comparison]) -> list[Judged]:
    """Judge comparisons together.

    Identical values are no matter of chance, and fewer than `LEAST_PAIRS` seeds are never judged:
    neither counts among those corrected for.
    """
    found = [_without_interval(comparison) for comparison in comparisons]
    open_ = in_question(comparisons)
    while open_:
        level = level_among(len(open_))
        for place, estimate in zip(
            open_, intervals([comparisons[p] for p in open_], level), strict=True
        ):
            found[place] = _judged(comparisons[place], estimate, level)
        left = [place for place in open_ if found[place].outcome == "cannot tell"]
        if len(left) == len(open_):
            break
        open_ = left
    return [
        replace(one, seeds_needed=_seeds_needed(comparison, one))
        if one.outcome == "cannot tell"
        else one
        for one, comparison in zip(found, comparisons, strict=True)
    ]


def in_question(comparisons: Sequence[Comparison]) -> list[int]:
    """Return the places of those that chance could settle wrongly: the family corrected for."""
    return [
        place
        for place, comparison in enumerate(comparisons)
        if comparison.seeds >= LEAST_PAIRS and not comparison.identical
    ]


def level_among(comparisons: int) -> float:
    """Return the coverage that each of so many open comparisons is judged by."""
    return 1 - (1 - FAMILY_LEVEL) / max(1, comparisons)


def _without_interval(comparison: Comparison) -> Judged:
    if comparison.identical and comparison.seeds >= LEAST_PAIRS:
        return Judged("unchanged", 0.0, 0.0, 0.0, 1.0)
    return Judged("cannot tell", comparison.effect, level=level_among(1))


def _judged(comparison: Comparison, found: Estimate, level: float) -> Judged:
    within = equivalence(found.low, found.high, comparison.least_effect, comparison.seeds)
    outcome: Outcome = "unchanged" if within == "holds" else "cannot tell"
    if (found.low > 0 or found.high < 0) and abs(found.improvement) > comparison.least_effect:
        outcome = "changed"
    return Judged(outcome, found.improvement, found.low, found.high, level)


def _seeds_needed(comparison: Comparison, found: Judged) -> float:
    least, sd = comparison.least_effect, comparison.sd
    needed = seeds_to_tell(sd, least, found.level)
    if not needed <= comparison.seeds:  # which NaN is not, either
        return needed
    size = abs(found.effect)
    if size < least:
        settled = seeds_to_tell(sd, least - size, found.level)
    else:
        settled = seeds_to_detect(size, sd, 0.0, found.level)
    return max(settled, comparison.seeds + 1.0)


def intervals(comparisons: Sequence[Comparison], level: float) -> list[Estimate]:
    """Return now minus then of each, with its interval.

    Of paired values that of the mean difference (`manyseeds.statistics.bootstrap`). Of the others
    that of the difference of two independent means, from the interval of each (`apart`): those of
    `manyseeds.statistics.bootstrap` again, or of shares Clopper and Pearson's.

    Parameters
    ----------
    comparisons
        With `LEAST_PAIRS` seeds at least.
    level
        Nominal coverage of each.
    """
    ways: dict[Kind, Callable[[Sequence[Comparison], float], list[Estimate]]] = {
        "paired": _of_pairs,
        "unpaired": partial(_of_independent, single=_means),
        "shares": partial(_of_independent, single=_shares),
    }
    found: dict[int, Estimate] = {}
    for kind, way in ways.items():
        places = [place for place, one in enumerate(comparisons) if one.kind == kind]
        if places:
            found |= zip(places, way([comparisons[p] for p in places], level), strict=True)
    return [found[place] for place in range(len(comparisons))]


def _of_pairs(comparisons: Sequence[Comparison], level: float) -> list[Estimate]:
    return _means([one.now - one.then for one in comparisons], level)


def _means(columns: Sequence[Floats], level: float) -> list[Estimate]:
    (found,) = mean_intervals_at(side_by_side(columns), [level])
    return [
        Estimate(int(n), *map(float, numbers))
        for n, *numbers in zip(found.n, found.estimate, found.low, found.high, strict=True)
    ]


def _shares(columns: Sequence[Floats], level: float) -> list[Estimate]:
    return [Estimate(len(column), *shares_at(column, [level])[0]) for column in columns]


def _of_independent(
    comparisons: Sequence[Comparison],
    level: float,
    single: Callable[[Sequence[Floats], float], list[Estimate]],
) -> list[Estimate]:
    then = single([one.then for one in comparisons], level)
    now = single([one.now for one in comparisons], level)
    return [apart(*both) for both in zip(then, now, strict=True)]


def apart(then: Estimate, now: Estimate) -> Estimate:
    """Return the difference of two independent estimates, from the interval of each.

    Zou and Donner (2008), "Construction of confidence limits about effect measures: a general
    approach": the variance near either limit is taken from the limits of both. Of two Student's
    intervals it is Welch's with the smaller of both degrees of freedom.
    """
    effect = now.improvement - then.improvement
    low = effect - math.hypot(now.improvement - now.low, then.high - then.improvement)
    high = effect + math.hypot(now.high - now.improvement, then.improvement - then.low)
    return Estimate(min(then.seeds, now.seeds), effect, low, high)


def seeds_to_tell(sd: float, least_effect: float, level: float, wanted: float = POWER) -> float:
    """Return how many seeds would find a comparison unchanged, if it is, with the power wanted.

    For normal differences and Student's interval, which must lie within ± the least effect. As many
    seeds find a change of twice the least effect more often than that.

    Parameters
    ----------
    sd
        Of the difference of one seed now and one then.
    least_effect, level
        As it was judged by.
    wanted
        The power.

    Returns
    -------
    float
        A whole number, at least `LEAST_PAIRS`; infinity for more than a million; NaN where the sd
        is unknown.
    """
    if math.isnan(sd):
        return math.nan
    if sd <= 0:
        return float(LEAST_PAIRS)

    def missing(seeds: float) -> float:
        margin = least_effect / sd * math.sqrt(seeds) - stats.t.ppf((1 + level) / 2, seeds - 1)
        return float(2 * stats.norm.cdf(margin) - 1 - wanted)

    if missing(LEAST_PAIRS) >= 0:
        return float(LEAST_PAIRS)
    if missing(MOST_SEEDS) < 0:
        return math.inf
    return float(math.ceil(optimize.brentq(missing, LEAST_PAIRS, MOST_SEEDS)))


def deviations(values: Floats) -> Floats:
    """Return how far each value lies from their median: what spreads are compared by.

    Brown and Forsythe (1974): a difference of the means of these is one of spreads, and holds its
    level where the values are not normal. Paired by seed, Grambsch (1994).
    """
    return np.abs(values - np.median(values)) if len(values) else values


def correlation(then: Floats, now: Floats) -> float:
    """Return Pearson's correlation; NaN where one of them does not vary."""
    if len(then) < 2 or not (np.ptp(then) > 0 and np.ptp(now) > 0):
        return math.nan
    return float(np.corrcoef(then, now)[0, 1])
