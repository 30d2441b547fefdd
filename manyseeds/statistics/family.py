"""Verdicts on a family of claims, corrected for their number by Holm's step-down.

With k claims still open, each has an interval of coverage 1 - 0.05 / k. Those that have a verdict
are settled, which leaves fewer, and narrower intervals, for the others. A claim is settled wrongly
only if its interval misses the truth; over a whole family that happens in 5 % of cases at most
(Holm 1979; for decisions that have a direction Shaffer 1980, for independent claims;
tests/statistics/test_simulation.py counts).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from manyseeds.statistics.bootstrap import LEVEL
from manyseeds.statistics.pairs import Estimate
from manyseeds.statistics.verdict import Verdict, equivalence, verdict


@dataclass(frozen=True)
class Question:
    """A claim of a family.

    Attributes
    ----------
    estimate
        Returns the improvement with an interval of a coverage.
    least_effect
        What it is judged against.
    equivalence
        Whether the claim is that there is no such effect: two one-sided tests (Schuirmann 1987).
        Their interval is that of every other claim. One of 90 % would allow 5 % of wrong "holds",
        and as many wrong "reversed" beside them.
    """

    estimate: Callable[[float], Estimate]
    least_effect: float
    equivalence: bool = False

    def verdict(self, found: Estimate) -> Verdict:
        """Judge it by its interval."""
        rule = equivalence if self.equivalence else verdict
        return rule(found.low, found.high, self.least_effect, found.seeds)


@dataclass(frozen=True)
class Judged:
    """What became of a claim: its verdict, and the coverage and interval it was judged by."""

    verdict: Verdict = "inconclusive"
    level: float = np.nan
    low: float = np.nan
    high: float = np.nan


def level_among(claims: int) -> float:
    """Return the coverage that each of so many open claims is judged by."""
    return 1 - (1 - LEVEL) / claims


def judged(questions: Sequence[Question]) -> list[Judged]:
    """Judge claims together. One without any pair is open, and counts."""
    found = [Judged()] * len(questions)
    open_ = list(range(len(questions)))
    while open_:
        level = level_among(len(open_))
        for place in open_:
            question = questions[place]
            estimate = question.estimate(level)
            found[place] = Judged(question.verdict(estimate), level, estimate.low, estimate.high)
        left = [place for place in open_ if found[place].verdict == "inconclusive"]
        if len(left) == len(open_):
            break
        open_ = left
    return found
