"""All tables of statistics about a suite: pages, CSV, console, JSON and frames show these."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from manyseeds import statistics
from manyseeds.report.content.metric_tables import metrics_table
from manyseeds.report.reported_suites import ReportedSuite
from manyseeds.statistics.estimands import PairsByClaim, claim_pairs


@dataclass(frozen=True)
class ResultTables:
    """The tables of `manyseeds.statistics` about a suite, each computed when it is first read.

    Every number of a report comes from here, so that no two places can compute it differently.
    """

    reported: ReportedSuite

    @cached_property
    def pairs(self) -> PairsByClaim:
        """The pairs of each claim, by its name."""
        reported = self.reported
        return claim_pairs(reported.records, reported.suite, reported.curves)

    @cached_property
    def claims(self) -> pd.DataFrame:
        """Every claim, by case and backend."""
        reported = self.reported
        return statistics.claims_table(
            reported.records, reported.suite, self.pairs, reported.curves
        )

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Every recipe, by case and backend."""
        return statistics.summary_table(self.reported.records, self.reported.suite)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """The metrics beside the primary one."""
        return metrics_table(self.reported.records, self.reported.suite)

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """Every recipe against its baseline."""
        return statistics.comparisons_table(self.reported.records, self.reported.suite)

    @cached_property
    def published(self) -> pd.DataFrame:
        """The published figures among the trainings."""
        return statistics.published_table(self.reported.records, self.reported.suite, self.pairs)

    @cached_property
    def confession(self) -> pd.DataFrame:
        """The confession curves."""
        return statistics.confession_table(self.reported.records, self.reported.suite, self.pairs)

    @cached_property
    def cherries(self) -> pd.DataFrame:
        """The tries that a cherry-picker needs."""
        return statistics.cherries_table(self.reported.records, self.reported.suite, self.pairs)

    @cached_property
    def specification(self) -> pd.DataFrame:
        """The specification curve."""
        return statistics.specification_table(
            self.reported.records, self.reported.suite, self.comparisons
        )

    @cached_property
    def variance(self) -> pd.DataFrame:
        """The spread that each stream causes on its own."""
        return statistics.variance_table(self.reported.records, self.reported.suite)

    @cached_property
    def layers(self) -> pd.DataFrame:
        """Diagnostics by layer."""
        return statistics.layers_table(self.reported.diagnostics, self.reported.suite)

    @cached_property
    def range_tests(self) -> pd.DataFrame:
        """The suggestions of range tests."""
        return statistics.range_tests_table(self.reported.diagnostics, self.reported.suite)

    def names(self) -> tuple[str, ...]:
        """Return the names of the tables; those of diagnostics only if they have rows."""
        always = (
            *("summary", "claims", "comparisons", "published", "confession", "cherries"),
            *("specification", "variance", "metrics"),
        )
        of_diagnostics = ("layers", "range_tests")
        return (*always, *(name for name in of_diagnostics if not getattr(self, name).empty))
