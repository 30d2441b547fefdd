"""The lines of the banner over an incomplete table: missing rows, curves and diagnostics."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from manyseeds.ledger.schemas import ROW_KEY
from manyseeds.presentation.wording import backend_name, listed, number_of
from manyseeds.report.reported_suites import ReportedSuite
from manyseeds.statistics.summary import STATUSES
from manyseeds.suite.recipe import Recipe
from manyseeds.techniques.schedules import RangeTest

_WORDS = {"timed_out": "timed out"}
_LISTED = 12
"""Recipes and backends listed; the rest is counted."""


def incomplete(reported: ReportedSuite) -> tuple[str, ...]:
    """Return the lines of the banner; none if everything that was promised is there.

    All promised rows count, those of the variance study and solo rows included. A row that diverged
    counts as delivered only if its recipe declares that divergence is expected. A training that
    ended has a curve, and diagnostics if its recipe records them.
    """
    records = reported.records
    expected = {c.recipe.name for c in reported.suite.cells if c.recipe.expect_divergence}
    diverged = (records["status"] == "diverged") & records["recipe"].isin(expected)
    short = records[(records["status"] != "ok") & ~diverged]
    lines = tuple(_lost_tables(reported))
    if short.empty:
        return lines
    delivered = len(records) - len(short)
    head = f"{delivered:,} of {len(records):,} promised rows were delivered: {_counts(short)}."
    return (head, *_places(short), *lines)


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


def _lost_tables(reported: ReportedSuite) -> Iterator[str]:
    """Yield a line about trainings that ended without a curve, and one about diagnostics."""
    records = reported.records
    ended = records[records["status"].isin(["ok", "diverged"])]
    trained = ended[ended["epochs"].fillna(0) > 0]
    yield from _without(trained, reported.curves, "curve")
    recipes = {cell.recipe.name for cell in reported.suite.cells if _diagnoses(cell.recipe)}
    diagnosed = ended[ended["recipe"].isin(recipes)]
    yield from _without(diagnosed, reported.diagnostics, "diagnostics")


def _diagnoses(recipe: Recipe) -> bool:
    return any(
        phase.diagnostics or (isinstance(phase.schedule, RangeTest) and phase.epochs > 0)
        for phase in recipe.phases
    )


def _without(ended: pd.DataFrame, rows: pd.DataFrame, name: str) -> Iterator[str]:
    there = pd.MultiIndex.from_frame(rows[ROW_KEY].drop_duplicates())
    lost = ended[~pd.MultiIndex.from_frame(ended[ROW_KEY]).isin(there)]
    if lost.empty:
        return
    places = [
        f"{recipe} in {backend_name(str(backend))}: {len(trainings):,}"
        for (recipe, backend), trainings in lost.groupby(["recipe", "backend"], sort=False)
    ]
    rest = len(places) - _LISTED
    more = [f"{rest} more recipes and backends"] if rest > 0 else []
    yield (
        f"The ledger has no {name} of {number_of(len(lost), 'training')} that ended "
        f"({', '.join(places[:_LISTED] + more)}). What is missing is left out, and counted as "
        "missing."
    )
