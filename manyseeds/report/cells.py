"""The tables of a page, cell by cell, as people read them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import pandas as pd

from manyseeds.claims import Claim
from manyseeds.report.findings import sentences
from manyseeds.report.rows import Row, rows_of
from manyseeds.report.wording import (
    NONE,
    Unit,
    backend_name,
    case_name,
    claim_unit,
    means_unit,
    number,
    ordinal,
    percent,
    seconds,
    unit,
)
from manyseeds.statistics.pairs import ALL
from manyseeds.statistics.summary import STATUSES
from manyseeds.suite import Suite


@dataclass(frozen=True)
class ClaimRow:
    """A claim on one backend, or pooled."""

    backend: str
    pooled: bool
    verdict: str
    improvement: str
    interval: str
    pairs: str
    outcomes: str
    baseline: str
    treatment: str
    correlation: str
    factor: str
    reached: str
    settle: str


@dataclass(frozen=True)
class CaseView:
    """A claim in one case of the suite's parameter, or over all of them."""

    case: str
    verdict: str
    gain: str
    factor: str
    sentences: tuple[str, ...]
    rows: tuple[ClaimRow, ...]


@dataclass(frozen=True)
class PublishedRow:
    """A published figure and its place among our pairs."""

    label: str
    quantity: str
    figure: str
    percentile: str
    reached: str
    backends: str


@dataclass(frozen=True)
class SummaryGroup:
    """A recipe in one case: its rows, one a backend, each a list of cells."""

    recipe: str
    case: str
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    short: tuple[bool, ...]


def case_views(claim: Claim, rows: pd.DataFrame, suite: Suite) -> tuple[CaseView, ...]:
    """Return a claim's cases; the one over all cases, if there are several, comes last."""
    shown, metric = claim_unit(claim), means_unit(claim)
    views = []
    for case, part in rows.groupby("case", sort=False):
        records = rows_of(part)
        pooled = next(row for row in records if row["backend"] == ALL)
        views.append(
            CaseView(
                case=case_name(str(case)),
                verdict=str(pooled["verdict"]),
                gain=_gain(pooled, shown),
                factor=_factor(pooled),
                sentences=tuple(sentences(claim, part, suite)),
                rows=tuple(_claim_row(row, shown, metric) for row in records),
            )
        )
    return tuple(views)


def published_rows(table: pd.DataFrame, shown: Unit) -> tuple[PublishedRow, ...]:
    """Return the published figures, with percentiles over all and per backend."""
    rows = []
    for (label, quantity), part in table.groupby(["label", "quantity"], sort=False):
        pooled = part[part["backend"] == ALL].iloc[0]
        each = part[part["backend"] != ALL]
        is_factor = quantity == "factor"
        figure = float(pooled["figure"])
        places = zip(each["backend"], each["percentile"], strict=True)
        rows.append(
            PublishedRow(
                label=str(label),
                quantity="factor of errors" if is_factor else "improvement",
                figure=f"{figure:.3g}" if is_factor else shown.gain(figure) + shown.difference,
                percentile=ordinal(pooled["percentile"]),
                reached=percent(pooled["reached"]),
                backends=", ".join(f"{backend_name(b)} {ordinal(p)}" for b, p in places),
            )
        )
    return tuple(rows)


def summary_groups(table: pd.DataFrame, suite: Suite) -> tuple[SummaryGroup, ...]:
    """Return THE table: a group per recipe and case, a line per backend."""
    shown = unit(suite.primary)
    records = rows_of(table)
    groups = []
    for (recipe, case), lines in groupby(records, key=itemgetter("recipe", "case")):
        rows = list(lines)
        groups.append(
            SummaryGroup(
                recipe=str(recipe),
                case=case_name(str(case)),
                rows=tuple((backend_name(row["backend"]), _cells(row, shown)) for row in rows),
                short=tuple(row["ok"] < row["promised"] for row in rows),
            )
        )
    return tuple(groups)


def _cells(row: Row, shown: Unit) -> tuple[str, ...]:
    counts = [f"{row[name]:,}" for name in ("promised", *STATUSES)]
    measures = ["accuracy", "error"] if shown.factor > 1 else ["loss"]
    figures = [cell for name in measures for cell in _figures(row, name, shown)]
    alone = [f"{row['solo_rows']}", seconds(row["solo_seconds"])]
    alone += [seconds(row["solo_compile_seconds"])]
    together = [seconds(row["cohort_seconds_per_seed"]), seconds(row["cohort_compile_seconds"])]
    return (*counts, *figures, *alone, *together)


def _figures(row: Row, name: str, shown: Unit) -> list[str]:
    bare = {part: shown.bare(row[f"{name}_{part}"]) for part in ("mean", "sd", "median")}
    ends = {part: shown.bare(row[f"{name}_{part}"]) for part in ("min", "max")}
    interval = shown.interval(row[f"{name}_low"], row[f"{name}_high"])
    return [bare["mean"], interval, bare["sd"], bare["median"], ends["min"], ends["max"]]


def _gain(row: Row, shown: Unit) -> str:
    if math.isnan(row["improvement"]):
        return "no pairs"
    gain = shown.gain(row["improvement"]) + shown.difference
    interval = shown.interval(row["low"], row["high"])
    return gain if interval == NONE else f"{gain} ({interval})"


def _factor(row: Row) -> str:
    """Return what became of a claimed factor; nothing where none is claimed."""
    if math.isnan(row["factor"]) or math.isnan(row["factor_median"]):
        return ""
    median, share = number(row["factor_median"], 2), percent(row["factor_reached"])
    return f"median factor {median}; {share} of pairs reach {row['factor']:g}"


def _claim_row(row: Row, shown: Unit, metric: Unit) -> ClaimRow:
    settle = row["seeds_to_settle"]
    return ClaimRow(
        backend=backend_name(row["backend"]),
        pooled=row["backend"] == ALL,
        verdict=row["verdict"],
        improvement=shown.gain(row["improvement"]),
        interval=shown.interval(row["low"], row["high"]),
        pairs=f"{row['pairs']:,} of {row['promised']:,}",
        outcomes=f"{row['better']:,} / {row['tied']:,} / {row['worse']:,}",
        baseline=metric.bare(row["baseline_mean"]),
        treatment=metric.bare(row["treatment_mean"]),
        correlation=number(row["correlation"], 2),
        factor=number(row["factor_median"], 2),
        reached=percent(row["factor_reached"]),
        settle=NONE if math.isnan(settle) else f"{settle:,.0f}" if math.isfinite(settle) else "∞",
    )
