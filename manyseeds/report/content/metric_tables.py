"""The metrics beside the primary one: their spread over seeds, for every recipe and backend."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from manyseeds.presentation.wording import METRICS, Unit, backend_name, case_name, metric_unit
from manyseeds.report.frame_rows import Row, rows_of
from manyseeds.statistics.scores import GROUP, measured, ordinary
from manyseeds.suite.claims import ClaimMetric
from manyseeds.suite.suite import Suite

_FIGURES = ("mean", "sd", "median", "min", "max")


@dataclass(frozen=True)
class MetricRow:
    """A recipe in one case on one backend: seeds, mean, sd, median, least, largest."""

    recipe: str
    case: str
    backend: str
    backend_name: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class MetricView:
    """The table of a metric."""

    metric: str
    title: str
    rows: tuple[MetricRow, ...]


def metrics_table(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return one row per metric, recipe, case and backend that has values of it.

    Columns: `metric`, `recipe`, `case`, `backend`, `seeds` (rows that are ok and have a value) and
    the `mean`, `sd` (n - 1), `median`, `min` and `max` of the values, in the record's unit. The
    primary metric is left out: `summary_table` has it, with intervals.
    """
    rows = ordinary(records, suite)
    rows = rows[rows["status"] == "ok"]
    parts = [
        _described(rows, name)
        for name in METRICS
        if name != suite.primary and measured(rows, name).notna().any()
    ]
    columns = ["metric", *GROUP, "seeds", *_FIGURES]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def metric_views(table: pd.DataFrame) -> tuple[MetricView, ...]:
    """Return the metrics of `metrics_table` as tables of text."""
    views = []
    for name, part in table.groupby("metric", sort=False):
        unit = next(metric_unit(known) for known in METRICS if known == name)
        percent = ", %" if unit.factor > 1 else ""
        title = unit.metric[:1].upper() + unit.metric[1:] + percent
        views.append(MetricView(str(name), title, tuple(_row(r, unit) for r in rows_of(part))))
    return tuple(views)


def _described(rows: pd.DataFrame, metric: ClaimMetric) -> pd.DataFrame:
    values = measured(rows, metric).dropna().astype("float64")
    groups = values.groupby([rows.loc[values.index, name] for name in GROUP], sort=False)
    table = groups.agg(["count", "mean", "std", "median", "min", "max"]).reset_index()
    table = table.rename(columns={"count": "seeds", "std": "sd"})
    table.insert(0, "metric", metric)
    return table


def _row(row: Row, unit: Unit) -> MetricRow:
    return MetricRow(
        recipe=row["recipe"],
        case=case_name(row["case"]),
        backend=row["backend"],
        backend_name=backend_name(row["backend"]),
        cells=(f"{row['seeds']:,}", *(unit.bare(row[name]) for name in _FIGURES)),
    )
