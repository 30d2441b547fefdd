"""The results of a suite that its claims are judged by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from manyseeds.statistics.scores import ScoreTable
from manyseeds.suite.claims import ClaimMetric
from manyseeds.suite.suite import Suite


@dataclass(frozen=True)
class Evidence:
    """The results of a suite that its claims are judged by.

    Attributes
    ----------
    records, curves
        Tables of the `Ledger`. Claims about times need the curves, and refuse to be judged without.
    suite
        The suite.
    guessing
        Whether a lane that diverged counts as guessing; if not, its pair is lost.
    """

    records: pd.DataFrame
    suite: Suite
    curves: pd.DataFrame | None = None
    guessing: bool = True

    def scores(self, metric: ClaimMetric) -> ScoreTable:
        """Return the scores in a metric; computed once."""
        if metric not in self._scores:
            self._scores[metric] = ScoreTable.of(
                self.records, self.suite, metric, guessing=self.guessing
            )
        return self._scores[metric]

    @cached_property
    def _scores(self) -> dict[ClaimMetric, ScoreTable]:
        return {}
