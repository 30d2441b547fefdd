"""The tables of a report as frames, for the command line, `--json` and the Python interface.

They start with the columns `suite`, the suite's name, and `form`: "full protocol", "part of the
full protocol" or "quick form". Numbers are those of the pages, in the units of the column `unit`
(`manyseeds.report.shown_tables`).
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from manyseeds.ledger.ledger import Ledger
from manyseeds.report.content.protocol import protocol
from manyseeds.report.reported_suites import reported_suites
from manyseeds.report.result_tables import ResultTables
from manyseeds.report.shown_tables import shown_table


def summary_table(ledgers: Sequence[Ledger]) -> pd.DataFrame:
    """Return every recipe on every backend of the suites in these ledgers.

    One row per suite, recipe, case and backend, with the columns of
    `manyseeds.statistics.summary_table`. The runs are chosen as for a page
    (`manyseeds.report.reported_suites`).
    """
    return _of_suites(ledgers, "summary")


def claims_table(ledgers: Sequence[Ledger]) -> pd.DataFrame:
    """Return every claim's improvement and verdict, per backend and over all backends.

    One row per suite, claim, case and backend, with the columns of
    `manyseeds.statistics.claims_table`.
    """
    return _of_suites(ledgers, "claims")


def variance_table(ledgers: Sequence[Ledger]) -> pd.DataFrame:
    """Return the spread of results that each stream causes on its own.

    One row per suite, recipe, case, stream and backend, with the columns of
    `manyseeds.statistics.variance_table`.
    """
    return _of_suites(ledgers, "variance")


def _of_suites(ledgers: Sequence[Ledger], name: str) -> pd.DataFrame:
    parts = []
    for reported in reported_suites(ledgers):
        part = shown_table(ResultTables(reported), name).copy()
        part.insert(0, "suite", reported.suite.name)
        part.insert(1, "form", protocol(reported).form)
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"suite": [], "form": []})
