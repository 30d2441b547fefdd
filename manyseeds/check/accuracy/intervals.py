"""Comparisons of one quantity over seeds, and intervals for its change."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from manyseeds.statistics.bootstrap import Floats, mean_intervals_at
from manyseeds.statistics.estimates import Estimate, side_by_side
from manyseeds.statistics.shares import share_of

ComparisonKind = Literal["paired", "unpaired", "shares"]


@dataclass(frozen=True)
class SeedComparison:
    """One quantity over seeds, in the baseline and now.

    Attributes
    ----------
    kind
        "paired", means over the same seeds in the same order · "unpaired", means over different
        seeds · "shares", means of zeros and ones.
    then, now
        Finite values, [seeds].
    least_effect
        The least difference of the means that counts, positive.
    """

    kind: ComparisonKind
    then: Floats
    now: Floats
    least_effect: float

    @property
    def seeds(self) -> int:
        """The number of seeds that an interval rests on: the smaller of both sides."""
        return min(len(self.then), len(self.now))

    @property
    def identical(self) -> bool:
        """Whether the values are equal to the last bit."""
        return self.kind != "unpaired" and np.array_equal(self.then, self.now)

    @property
    def effect(self) -> float:
        """The mean now minus the mean then; NaN if a side has no values."""
        if not self.seeds:
            return math.nan
        if self.kind == "paired":  # rounding makes two means of equal differences differ
            return float((self.now - self.then).mean())
        return float(self.now.mean() - self.then.mean())

    @property
    def sd(self) -> float:
        """The standard deviation of the difference of two single seeds, one on each side.

        NaN for fewer than two seeds.
        """
        if self.seeds < 2:
            return math.nan
        if self.kind == "paired":
            return float((self.now - self.then).std(ddof=1))
        return float(np.hypot(self.now.std(ddof=1), self.then.std(ddof=1)))


def deviations(values: Floats) -> Floats:
    """Return each value's distance from the median; spreads are compared by its mean.

    Brown and Forsythe (1974): a difference of the means of these is one of spreads, and holds its
    level where the values are not normal. Paired by seed, Grambsch (1994).
    """
    return np.abs(values - np.median(values)) if len(values) else values


def correlation(then: Floats, now: Floats) -> float:
    """Return Pearson's correlation; NaN if one of them does not vary."""
    if len(then) < 2 or not (np.ptp(then) > 0 and np.ptp(now) > 0):
        return math.nan
    return float(np.corrcoef(then, now)[0, 1])


def intervals(comparisons: Sequence[SeedComparison], level: float) -> list[Estimate]:
    """Return the change of each quantity, now minus then, with its interval.

    For paired values it is the interval of the mean difference (`manyseeds.statistics.bootstrap`),
    for the others that of the difference of two independent means, made from both intervals
    (`difference_of`): bootstrap intervals again, or for shares Clopper and Pearson's.

    Parameters
    ----------
    comparisons
        With at least `LEAST_PAIRS` seeds each.
    level
        Nominal coverage of each interval.
    """
    methods: dict[ComparisonKind, Callable[[Sequence[SeedComparison], float], list[Estimate]]] = {
        "paired": _of_pairs,
        "unpaired": partial(_of_independent, of_side=_means),
        "shares": partial(_of_independent, of_side=_shares),
    }
    estimates: dict[int, Estimate] = {}
    for kind, method in methods.items():
        places = [place for place, comparison in enumerate(comparisons) if comparison.kind == kind]
        if places:
            estimates |= zip(places, method([comparisons[p] for p in places], level), strict=True)
    return [estimates[place] for place in range(len(comparisons))]


def _of_pairs(comparisons: Sequence[SeedComparison], level: float) -> list[Estimate]:
    return _means([comparison.now - comparison.then for comparison in comparisons], level)


def _means(columns: Sequence[Floats], level: float) -> list[Estimate]:
    (table,) = mean_intervals_at(side_by_side(columns), [level])
    return [
        Estimate(int(n), *map(float, numbers))
        for n, *numbers in zip(table.n, table.estimate, table.low, table.high, strict=True)
    ]


def _shares(columns: Sequence[Floats], level: float) -> list[Estimate]:
    return [_share(column, level) for column in columns]


def _share(column: Floats, level: float) -> Estimate:
    """Return the share of ones with Clopper and Pearson's (1934) interval."""
    return Estimate(len(column), *share_of(column, level))


def _of_independent(
    comparisons: Sequence[SeedComparison],
    level: float,
    of_side: Callable[[Sequence[Floats], float], list[Estimate]],
) -> list[Estimate]:
    then = of_side([comparison.then for comparison in comparisons], level)
    now = of_side([comparison.now for comparison in comparisons], level)
    return [difference_of(*sides) for sides in zip(then, now, strict=True)]


def difference_of(then: Estimate, now: Estimate) -> Estimate:
    """Return the difference of two independent estimates, with an interval made from theirs.

    Zou and Donner (2008), "Construction of confidence limits about effect measures: a general
    approach": the variance near each limit is recovered from the limits of both. For two Student
    intervals the result is Welch's with the smaller of the degrees of freedom.
    """
    effect = now.improvement - then.improvement
    low = effect - math.hypot(now.improvement - now.low, then.high - then.improvement)
    high = effect + math.hypot(now.high - now.improvement, then.improvement - then.low)
    return Estimate(min(then.seeds, now.seeds), effect, low, high)
