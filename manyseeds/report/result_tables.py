"""All tables of statistics that a page uses, computed once."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from manyseeds.report.reported_suites import ReportedSuite
from manyseeds.statistics import (
    cherries_table,
    claims_table,
    comparisons_table,
    confession_table,
    layers_table,
    published_table,
    range_tests_table,
    specification_table,
    summary_table,
    variance_table,
)
from manyseeds.statistics.estimands import PairsByClaim, claim_pairs
from manyseeds.suite.claims import TimeToTarget


@dataclass(frozen=True)
class ResultTables:
    """The tables of `manyseeds.statistics`, and the pairs of each claim by its name."""

    summary: pd.DataFrame
    claims: pd.DataFrame
    comparisons: pd.DataFrame
    published: pd.DataFrame
    confession: pd.DataFrame
    cherries: pd.DataFrame
    specification: pd.DataFrame
    variance: pd.DataFrame
    layers: pd.DataFrame
    range_tests: pd.DataFrame
    pairs: PairsByClaim

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by name; the last two only if they have rows."""
        names = (
            *("summary", "claims", "comparisons", "published", "confession", "cherries"),
            *("specification", "variance"),
        )
        always = {name: getattr(self, name) for name in names}
        optional = {name: getattr(self, name) for name in ("layers", "range_tests")}
        return always | {name: table for name, table in optional.items() if not table.empty}


def results(reported: ReportedSuite) -> ResultTables:
    """Compute all tables of a suite."""
    records, suite = reported.records, reported.suite
    curves = reported.curves() if any(isinstance(c, TimeToTarget) for c in suite.claims) else None
    pairs = claim_pairs(records, suite, curves)
    comparisons = comparisons_table(records, suite)
    diagnostics = reported.diagnostics()
    return ResultTables(
        summary=summary_table(records, suite),
        claims=claims_table(records, suite, pairs, curves),
        comparisons=comparisons,
        published=published_table(records, suite, pairs),
        confession=confession_table(records, suite, pairs),
        cherries=cherries_table(records, suite, pairs),
        specification=specification_table(records, suite, comparisons),
        variance=variance_table(records, suite),
        layers=layers_table(diagnostics, suite),
        range_tests=range_tests_table(diagnostics, suite),
        pairs=pairs,
    )
