"""The tables of a report as frames, for the command line, `--json` and the Python interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from manyseeds import statistics
from manyseeds.ledger.ledger import Ledger
from manyseeds.report.reported_suites import reported_suites
from manyseeds.suite.suite import Suite

Table = Callable[[pd.DataFrame, Suite], pd.DataFrame]


def summary_table(ledgers: Sequence[Ledger]) -> pd.DataFrame:
    """Return every recipe on every backend of the suites in these ledgers.

    One row per suite, recipe, case and backend, with the columns of
    `manyseeds.statistics.summary_table`. The runs are chosen as for a page
    (`manyseeds.report.reported_suites`).
    """
    return _of_suites(ledgers, statistics.summary_table)


def claims_table(ledgers: Sequence[Ledger]) -> pd.DataFrame:
    """Return every claim's improvement and verdict, per backend and over all backends.

    One row per suite, claim, case and backend, with the columns of
    `manyseeds.statistics.claims_table`.
    """
    return _of_suites(ledgers, statistics.claims_table)


def variance_table(ledgers: Sequence[Ledger]) -> pd.DataFrame:
    """Return the spread of results that each stream causes on its own.

    One row per suite, recipe, case, stream and backend, with the columns of
    `manyseeds.statistics.variance_table`.
    """
    return _of_suites(ledgers, statistics.variance_table)


def _of_suites(ledgers: Sequence[Ledger], table: Table) -> pd.DataFrame:
    parts = []
    for reported in reported_suites(ledgers):
        part = table(reported.records, reported.suite)
        part.insert(0, "suite", reported.label)
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"suite": []})
