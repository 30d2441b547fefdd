"""Verdicts on a family of claims, corrected for their number by Holm's step-down.

With k claims still open, each has an interval of coverage 1 - 0.05 / k. Those that have a verdict
are settled, which leaves fewer, and narrower intervals, for the others. A claim is settled wrongly
only if its interval misses the truth; over a whole family that happens in 5 % of cases at most
(Holm 1979; for decisions that have a direction Shaffer 1980, for independent claims;
tests/statistics/test_simulation.py counts).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from manyseeds.statistics.bootstrap import LEVEL, Floats, mean_intervals
from manyseeds.statistics.verdict import Verdict, verdict


@dataclass(frozen=True)
class Judged:
    """What became of the claims of a family.

    Attributes
    ----------
    verdicts
        One a claim.
    level
        The coverage of the interval that each was judged by, [claims].
    low, high
        That interval, [claims].
    """

    verdicts: tuple[Verdict, ...]
    level: Floats
    low: Floats
    high: Floats


def judged(improvements: ArrayLike, least_effects: ArrayLike) -> Judged:
    """Judge claims together.

    Parameters
    ----------
    improvements
        By seed, [n, claims]; NaN means no pair. A claim without any is open, and counts.
    least_effects
        [claims], positive.
    """
    table = np.asarray(improvements, dtype=np.float64)
    least = np.broadcast_to(np.asarray(least_effects, dtype=np.float64), table.shape[1:])
    verdicts: list[Verdict] = ["inconclusive"] * table.shape[1]
    level, low, high = (np.full(table.shape[1], np.nan) for _ in range(3))
    open_ = list(range(table.shape[1]))
    while open_:
        coverage = 1 - (1 - LEVEL) / len(open_)
        found = mean_intervals(table[:, open_], coverage)
        level[open_], low[open_], high[open_] = coverage, found.low, found.high
        for claim, pairs in zip(open_, found.n, strict=True):
            verdicts[claim] = verdict(low[claim], high[claim], least[claim], int(pairs))
        left = [claim for claim in open_ if verdicts[claim] == "inconclusive"]
        if len(left) == len(open_):
            break
        open_ = left
    return Judged(tuple(verdicts), level, low, high)
