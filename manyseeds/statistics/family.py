"""Verdicts on a family of claims, corrected for their number by Holm's step-down procedure.

With k claims still open, each has an interval with coverage 1 - 0.05 / k. Claims that reach a
verdict are settled; fewer remain, so the intervals of the others get narrower. A claim gets a wrong
verdict only if its interval misses the truth, and the chance that any claim of the family does is
at most 5 % (Holm 1979; Shaffer 1980 for directional decisions on independent claims;
tests/statistics/test_simulation.py counts).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from manyseeds.statistics.bootstrap import LEVEL
from manyseeds.statistics.estimates import Estimate
from manyseeds.statistics.verdict import Verdict, equivalence, verdict


@dataclass(frozen=True)
class FamilyClaim:
    """One claim of a family.

    Attributes
    ----------
    estimate
        Returns the improvement with an interval of the coverage passed to it.
    least_effect
        The least effect that counts.
    equivalence
        Whether the claim is that there is no such effect: two one-sided tests (Schuirmann 1987).
        Their interval has the same coverage as that of every other claim. A 90 % interval would
        allow 5 % of wrong "holds", and as many wrong "reversed" on top.
    """

    estimate: Callable[[float], Estimate]
    least_effect: float
    equivalence: bool = False

    def verdict(self, estimate: Estimate) -> Verdict:
        """Return the verdict on an estimate."""
        rule = equivalence if self.equivalence else verdict
        return rule(estimate.low, estimate.high, self.least_effect, estimate.seeds)


@dataclass(frozen=True)
class FamilyVerdict:
    """The verdict on one claim of a family, with the interval it rests on and its coverage."""

    verdict: Verdict = "inconclusive"
    level: float = np.nan
    low: float = np.nan
    high: float = np.nan


def level_among(claims: int) -> float:
    """Return the coverage of each interval while this many claims are open."""
    return 1 - (1 - LEVEL) / claims


def judge_family(claims: Sequence[FamilyClaim]) -> list[FamilyVerdict]:
    """Judge claims together; a claim without any pairs stays open, and counts."""
    verdicts = [FamilyVerdict()] * len(claims)
    still_open = list(range(len(claims)))
    while still_open:
        level = level_among(len(still_open))
        for i in still_open:
            estimate = claims[i].estimate(level)
            verdicts[i] = FamilyVerdict(
                claims[i].verdict(estimate), level, estimate.low, estimate.high
            )
        undecided = [i for i in still_open if verdicts[i].verdict == "inconclusive"]
        if len(undecided) == len(still_open):
            break
        still_open = undecided
    return verdicts
