"""Mean improvements with their intervals, for many views of pairs at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from manyseeds.statistics.bootstrap import (
    Floats,
    Intervals,
    log_ratio_intervals_at,
    mean_intervals_at,
)
from manyseeds.statistics.pairs import Pairs
from manyseeds.statistics.shares import shares_at

View = tuple[Pairs, str]
"""Pairs, and the backend to look at or `ALL`."""


class Estimate(NamedTuple):
    """A mean improvement with its interval, and the number of seeds behind it; NaN if unknown."""

    seeds: int
    improvement: float
    low: float
    high: float

    def within(self, largest: float) -> Estimate:
        """Return the estimate with its interval cut off at ± the largest possible improvement."""
        if math.isinf(largest):
            return self
        # max and min keep a NaN that is their first argument.
        return self._replace(low=max(self.low, -largest), high=min(self.high, largest))


def estimates(views: Sequence[View], levels: Sequence[float]) -> list[dict[float, Estimate]]:
    """Return the mean improvement of each view, with its interval at each level.

    On the scale "difference" it is the mean of the differences; on "sign" the probability of
    improvement minus one half, with the Clopper-Pearson interval; on "log_ratio" the logarithm of
    the ratio of the mean errors. All bootstrapped intervals share their draws.

    Parameters
    ----------
    views
        Pairs, and the backend of each.
    levels
        Nominal coverages.

    Returns
    -------
    list[dict[float, Estimate]]
        One dictionary per view: estimates by level.
    """
    by_view: list[dict[float, Estimate]] = [{} for _ in views]
    methods = {"difference": _differences, "log_ratio": _log_ratios, "sign": _signs}
    for scale, method in methods.items():
        members = [i for i, (pairs, _) in enumerate(views) if pairs.scale == scale]
        if not members:
            continue
        for level, column in zip(levels, method([views[i] for i in members], levels), strict=True):
            for i, estimate in zip(members, column, strict=True):
                by_view[i][level] = estimate.within(views[i][0].most)
    return by_view


def _differences(views: Sequence[View], levels: Sequence[float]) -> list[list[Estimate]]:
    table = side_by_side([pairs.improvement(backend) for pairs, backend in views])
    return [_columns(intervals) for intervals in mean_intervals_at(table, levels)]


def _log_ratios(views: Sequence[View], levels: Sequence[float]) -> list[list[Estimate]]:
    errors = [pairs.errors(backend) for pairs, backend in views]
    treatment, baseline = (side_by_side([view[side] for view in errors]) for side in (0, 1))
    intervals = log_ratio_intervals_at(baseline, treatment, levels)
    return [_columns(at_level) for at_level in intervals]


def _signs(views: Sequence[View], levels: Sequence[float]) -> list[list[Estimate]]:
    improvements = [pairs.improvement(backend) for pairs, backend in views]
    seeds = [int(np.isfinite(improvement).sum()) for improvement in improvements]
    shares = [shares_at(improvement + 0.5, levels) for improvement in improvements]
    return [
        [
            Estimate(n, *(part - 0.5 for part in by_level[k]))
            for n, by_level in zip(seeds, shares, strict=True)
        ]
        for k in range(len(levels))
    ]


def _columns(intervals: Intervals) -> list[Estimate]:
    fields = (intervals.n, intervals.estimate, intervals.low, intervals.high)
    return [Estimate(int(n), *map(float, numbers)) for n, *numbers in zip(*fields, strict=True)]


def side_by_side(columns: Sequence[Floats]) -> Floats:
    """Return columns of different lengths as a table, [rows, columns]; NaN below the shorter."""
    table = np.full((max(map(len, columns), default=0), len(columns)), np.nan)
    for number, column in enumerate(columns):
        table[: len(column), number] = column
    return table
