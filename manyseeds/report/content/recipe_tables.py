"""The summary table of a page, as cells of text: one row per recipe, case and backend."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from manyseeds.presentation.wording import (
    Unit,
    backend_name,
    case_name,
    metric_unit,
    seconds,
)
from manyseeds.report.frame_rows import Row, rows_of
from manyseeds.statistics.summary import STATUSES
from manyseeds.suite.suite import Suite


@dataclass(frozen=True)
class SummaryRow:
    """A recipe in one case on one backend; `short` if not all its rows are ok."""

    recipe: str
    case: str
    backend: str
    name: str
    cells: tuple[str, ...]
    short: bool


def summary_rows(table: pd.DataFrame, suite: Suite) -> tuple[SummaryRow, ...]:
    """Return the summary table: a row per recipe, case and backend."""
    unit = metric_unit(suite.primary)
    return tuple(
        SummaryRow(
            recipe=row["recipe"],
            case=case_name(row["case"]),
            backend=row["backend"],
            name=backend_name(row["backend"]),
            cells=_cells(row, unit),
            short=row["ok"] < row["promised"],
        )
        for row in rows_of(table)
    )


def _cells(row: Row, unit: Unit) -> tuple[str, ...]:
    counts = [f"{row[name]:,}" for name in ("promised", *STATUSES)]
    measures = ["accuracy", "error"] if unit.factor > 1 else ["loss"]
    figures = [cell for name in measures for cell in _figures(row, name, unit)]
    alone = [f"{row['solo_rows']}", seconds(row["solo_seconds"])]
    alone += [seconds(row["solo_compile_seconds"])]
    together = [seconds(row["cohort_seconds_per_seed"]), seconds(row["cohort_compile_seconds"])]
    return (*counts, *figures, *alone, *together)


def _figures(row: Row, name: str, unit: Unit) -> list[str]:
    bare = {part: unit.bare(row[f"{name}_{part}"]) for part in ("mean", "sd", "median")}
    ends = {part: unit.bare(row[f"{name}_{part}"]) for part in ("min", "max")}
    interval = unit.interval(row[f"{name}_low"], row[f"{name}_high"])
    return [bare["mean"], interval, bare["sd"], bare["median"], ends["min"], ends["max"]]
