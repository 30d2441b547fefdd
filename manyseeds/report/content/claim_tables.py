"""The tables of a claim, as cells of text: verdicts, details, and published figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from manyseeds.presentation.wording import (
    NONE,
    SPACE,
    Unit,
    backend_name,
    case_name,
    claim_unit,
    means_unit,
    number,
    ordinal,
    p_value,
    percent,
    value_of,
)
from manyseeds.report.content.claim_sentences import sentences
from manyseeds.report.frame_rows import Row, rows_of
from manyseeds.statistics.pairs import ALL
from manyseeds.suite.claims import Claim
from manyseeds.suite.suite import Suite


@dataclass(frozen=True)
class ClaimRow:
    """A claim on one backend, or pooled over all.

    Attributes
    ----------
    backend, name
        The backend's name in the ledger, and as its makers write it.
    pooled
        Whether the row pools all backends.
    judged
        The interval that the verdict rests on, with its coverage.
    details
        The other results, in the order of `DETAILS`.
    """

    backend: str
    name: str
    pooled: bool
    verdict: str
    improvement: str
    interval: str
    judged: str
    pairs: str
    outcomes: str
    baseline: str
    treatment: str
    settle: str
    details: tuple[str, ...]


@dataclass(frozen=True)
class CaseView:
    """A claim in one case of the suite's parameter, or over all of them."""

    case: str
    verdict: str
    improvement: str
    gain: str
    factor: str
    sentences: tuple[str, ...]
    rows: tuple[ClaimRow, ...]


@dataclass(frozen=True)
class DetailRow:
    """The details of a claim in one case on one backend."""

    case: str
    backend: str
    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class DetailTable:
    """The details of a claim, without columns that are empty."""

    heads: tuple[str, ...]
    rows: tuple[DetailRow, ...]


@dataclass(frozen=True)
class PublishedRow:
    """A published figure and where it lies among the pairs."""

    label: str
    quantity: str
    figure: str
    percentile: str
    reached: str
    backends: str


def case_views(claim: Claim, rows: pd.DataFrame, suite: Suite) -> tuple[CaseView, ...]:
    """Return a claim's cases; with several, the one over all cases comes last."""
    unit, metric = claim_unit(claim), means_unit(claim)
    views = []
    for case, part in rows.groupby("case", sort=False):
        records = rows_of(part)
        pooled = next(row for row in records if row["backend"] == ALL)
        views.append(
            CaseView(
                case=case_name(str(case)),
                verdict=str(pooled["verdict"]),
                improvement=_improvement(pooled, unit),
                gain=_gain(pooled, unit),
                factor=_factor(pooled),
                sentences=tuple(sentences(claim, part, suite)),
                rows=tuple(_claim_row(claim, row, metric) for row in records),
            )
        )
    return tuple(views)


def published_rows(table: pd.DataFrame, unit: Unit) -> tuple[PublishedRow, ...]:
    """Return the published figures, with percentiles over all backends and per backend."""
    rows = []
    for (label, quantity), part in table.groupby(["label", "quantity"], sort=False):
        pooled = part[part["backend"] == ALL].iloc[0]
        by_backend = part[part["backend"] != ALL]
        is_factor = quantity == "factor"
        figure = float(pooled["figure"])
        places = zip(by_backend["backend"], by_backend["percentile"], strict=True)
        rows.append(
            PublishedRow(
                label=str(label),
                quantity="factor of errors" if is_factor else "improvement",
                figure=f"{figure:.3g}" if is_factor else unit.gain(figure) + unit.difference,
                percentile=ordinal(pooled["percentile"]),
                reached=percent(pooled["reached"]),
                backends=", ".join(f"{backend_name(b)} {ordinal(p)}" for b, p in places),
            )
        )
    return tuple(rows)


def detail_table(cases: Sequence[CaseView]) -> DetailTable:
    """Return the details of a claim, per case and backend."""
    rows = [(case.case, row) for case in cases for row in case.rows]
    filled = [n for n in range(len(DETAILS)) if any(row.details[n] != NONE for _, row in rows)]
    return DetailTable(
        heads=tuple(DETAILS[n] for n in filled),
        rows=tuple(
            DetailRow(case, row.backend, row.name, tuple(row.details[n] for n in filled))
            for case, row in rows
        ),
    )


def _improvement(row: Row, unit: Unit) -> str:
    if math.isnan(row["improvement"]):
        return "no pairs"
    return unit.gain(row["improvement"]) + unit.difference


def _gain(row: Row, unit: Unit) -> str:
    gain = _improvement(row, unit)
    interval = unit.interval(row["low"], row["high"])
    return gain if interval == NONE else f"{gain} ({interval})"


def _factor(row: Row) -> str:
    """Return how often a claimed factor was reached; nothing if no factor is claimed."""
    if math.isnan(row["factor"]) or math.isnan(row["factor_median"]):
        return ""
    median, share = number(row["factor_median"], 2), percent(row["factor_reached"])
    return f"median factor {median}; {share} of pairs reach {row['factor']:g}"


def _claim_row(claim: Claim, row: Row, metric: Unit) -> ClaimRow:
    unit, settle = claim_unit(claim), row["seeds_to_settle"]
    return ClaimRow(
        backend=row["backend"],
        name=backend_name(row["backend"]),
        pooled=row["backend"] == ALL,
        verdict=row["verdict"],
        improvement=unit.gain(row["improvement"]),
        interval=unit.interval(row["low"], row["high"]),
        judged=_judged(row, unit),
        pairs=_pairs(claim, row),
        outcomes=f"{row['better']:,} / {row['tied']:,} / {row['worse']:,}",
        baseline=metric.bare(row["baseline_mean"]),
        treatment=metric.bare(row["treatment_mean"]),
        settle=NONE if math.isnan(settle) else f"{settle:,.0f}" if math.isfinite(settle) else "∞",
        details=_details(row, unit),
    )


def _pairs(claim: Claim, row: Row) -> str:
    """Return "27 of 30", and how many of the others lack only a value: "3 without a curve"."""
    pairs = f"{row['pairs']:,} of {row['promised']:,}"
    without = row["without_value"]
    return f"{pairs}; {without:,} without {value_of(claim)}" if without else pairs


def _judged(row: Row, unit: Unit) -> str:
    interval = unit.interval(row["family_low"], row["family_high"])
    return interval if interval == NONE else f"{interval} ({100 * row['level']:.4g}{SPACE}%)"


def _details(row: Row, unit: Unit) -> tuple[str, ...]:
    none_diverged = not row["diverged"]
    return (
        f"{row['family']:g}",
        *(p_value(row[name]) for name in ("p_sign_flips", "p_holm", "p_wilcoxon")),
        number(row["correlation"], 2),
        number(row["factor_median"], 2),
        percent(row["factor_reached"]),
        _share(row, "full_order"),
        NONE if math.isnan(row["never_treatment"]) else _never(row),
        NONE if none_diverged else f"{row['diverged']:,.0f}",
        NONE if none_diverged else _without(row, unit),
    )


DETAILS = (
    "Claims judged together",
    "p (sign flips)",
    "p (Holm)",
    "p (Wilcoxon)",
    "Correlation",
    "Median factor",
    "Reach the claimed factor",
    "Whole order",
    "Never reached",
    "Diverged pairs",
    "Without diverged pairs",
)
"""Heads of a claim's details."""


def _share(row: Row, name: str) -> str:
    share, low, high = (percent(row[name + end]) for end in ("", "_low", "_high"))
    return share if share == NONE else f"{share} ({low} to {high})"


def _never(row: Row) -> str:
    return f"{row['never_treatment']:g} and {row['never_baseline']:g}"


def _without(row: Row, unit: Unit) -> str:
    if not row["trained_pairs"] > 0:
        return "no pair left"
    interval = unit.interval(row["trained_low"], row["trained_high"])
    return f"{unit.gain(row['trained_improvement'])} ({interval})"
