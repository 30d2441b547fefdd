"""The lines of the banner over an incomplete table: promised rows that were not delivered."""

from __future__ import annotations

import pandas as pd

from manyseeds.presentation.wording import backend_name, listed
from manyseeds.report.reported_suites import ReportedSuite
from manyseeds.statistics.summary import STATUSES

_WORDS = {"timed_out": "timed out"}
_LISTED = 12
"""Recipes and backends listed; the rest is counted."""


def incomplete(reported: ReportedSuite) -> tuple[str, ...]:
    """Return the lines of the banner; none if all promised rows were delivered.

    All promised rows count, those of the variance study and solo rows included. A row that diverged
    counts as delivered only if its recipe declares that divergence is expected.
    """
    records = reported.records
    expected = {c.recipe.name for c in reported.suite.cells if c.recipe.expect_divergence}
    diverged = (records["status"] == "diverged") & records["recipe"].isin(expected)
    short = records[(records["status"] != "ok") & ~diverged]
    if short.empty:
        return ()
    delivered = len(records) - len(short)
    head = f"{delivered:,} of {len(records):,} promised rows were delivered: {_counts(short)}."
    return (head, *_places(short))


def _places(short: pd.DataFrame) -> list[str]:
    groups = short.groupby(["recipe", "backend"], sort=False)
    lines = [
        f"{recipe} in {backend_name(str(backend))}: {_counts(rows)}{_reason(rows)}"
        for (recipe, backend), rows in groups
    ]
    rest = len(lines) - _LISTED
    more = [f"and {rest} more recipes and backends (see the table)"] if rest > 0 else []
    return lines[:_LISTED] + more


def _counts(rows: pd.DataFrame) -> str:
    counts = rows["status"].value_counts()
    return listed(
        [f"{counts[name]:,} {_WORDS.get(name, name)}" for name in STATUSES if name in counts]
    )


def _reason(rows: pd.DataFrame) -> str:
    reasons = rows["reason"].dropna().value_counts()
    return f" ({str(reasons.index[0])[:160]})" if len(reasons) else ""
