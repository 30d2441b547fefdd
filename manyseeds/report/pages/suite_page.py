"""The page of a suite: everything it shows, as data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from manyseeds.presentation.theme import RenderedFigure
from manyseeds.presentation.wording import Unit, backend_name, claim_unit, duration, metric_unit
from manyseeds.report.content.best_of_slider import BestOfSlider, EvenChanceRow, cherry_rows, picker
from manyseeds.report.content.claim_sentences import varied
from manyseeds.report.content.claim_tables import (
    CaseView,
    ClaimRow,
    DetailTable,
    PublishedRow,
    case_views,
    detail_table,
    published_rows,
)
from manyseeds.report.content.incomplete_rows import incomplete
from manyseeds.report.content.metric_tables import MetricView, metric_views
from manyseeds.report.content.protocol import TrainedProtocol, protocol, seeds
from manyseeds.report.content.recipe_tables import SummaryRow, summary_rows
from manyseeds.report.content.run_provenance import RunView, provenance, run_views
from manyseeds.report.content.wall_time import computing_seconds
from manyseeds.report.figures.suite_figures import SuiteFigures
from manyseeds.report.pages.templating import html
from manyseeds.report.reported_suites import ReportedSuite
from manyseeds.report.result_tables import ResultTables
from manyseeds.suite.claims import Claim

__all__ = ["ClaimRow", "ClaimSection", "SuitePage", "html_page", "page"]


@dataclass(frozen=True)
class ClaimSection:
    """A claim on the page: its sentence, the findings and the figures."""

    anchor: str
    name: str
    sentence: str
    headline: CaseView
    cases: tuple[CaseView, ...]
    details: DetailTable
    published: tuple[PublishedRow, ...]
    picker: BestOfSlider | None
    cherries: tuple[EvenChanceRow, ...]
    figures: tuple[RenderedFigure, ...]


@dataclass(frozen=True)
class FigureSection:
    """A part of the page that shows figures of the whole suite.

    Attributes
    ----------
    anchor, title, short
        The anchor, the heading, and the entry in the contents.
    figures
        At least one.
    """

    anchor: str
    title: str
    short: str
    figures: tuple[RenderedFigure, ...]


@dataclass(frozen=True)
class SuitePage:
    """Everything that a page shows, in words and figures.

    Attributes
    ----------
    folder
        The folder of figures and tables, relative to the page.
    protocol
        The protocol that was trained.
    incomplete
        Lines of the banner; empty if every promised row was delivered.
    backends
        The backends' names as their makers write them, by their names in the ledger.
    summary
        The summary table, by recipe, case and backend.
    metrics
        The tables of the other metrics.
    provenance
        By run: one tree of keys and values for each time it was started.
    tables
        The files that hold the tables, relative to the page, by name.
    """

    folder: str
    title: str
    description: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    protocol: TrainedProtocol
    incomplete: tuple[str, ...]
    claims: tuple[ClaimSection, ...]
    backends: Mapping[str, str]
    recipes_shown: tuple[str, ...]
    summary: tuple[SummaryRow, ...]
    metrics: tuple[MetricView, ...]
    unit: Unit
    varied: str
    sections: tuple[FigureSection, ...]
    runs: tuple[RunView, ...]
    provenance: Mapping[str, Sequence[Mapping[str, Any]]]
    tables: Mapping[str, str]

    @property
    def has_cases(self) -> bool:
        """Whether the suite has a parameter."""
        return any(row.case for row in self.summary)


@dataclass(frozen=True)
class PageFiles:
    """The files that belong to a suite's page, relative to it.

    Attributes
    ----------
    folder
        The folder of figures and tables.
    tables
        The tables' files, by name; empty if no tables are written.
    """

    folder: str
    tables: Mapping[str, str]


def page(
    reported: ReportedSuite,
    results: ResultTables,
    drawings: SuiteFigures,
    files: PageFiles,
) -> SuitePage:
    """Return the page of a suite."""
    suite = reported.suite
    summary = summary_rows(results.summary, suite)
    return SuitePage(
        folder=files.folder,
        title=suite.title,
        description=tuple(filter(None, re.split(r"\n\s*\n", suite.description.strip()))),
        facts=_facts(reported),
        protocol=protocol(reported),
        incomplete=incomplete(reported),
        claims=tuple(_claims(reported, results, drawings)),
        backends={row.backend: row.name for row in summary},
        recipes_shown=tuple(dict.fromkeys(row.recipe for row in summary)),
        summary=summary,
        metrics=metric_views(results.metrics),
        unit=metric_unit(suite.primary),
        varied=varied(suite),
        sections=tuple(_sections(drawings)),
        runs=run_views(reported),
        provenance=provenance(reported),
        tables=files.tables,
    )


def html_page(view: SuitePage) -> str:
    """Return a page as one self-contained HTML file."""
    return html("page.html", page=view)


_TITLES = {
    "forest": ("All claims together", "All claims"),
    "rainclouds": ("Every seed", "Seeds"),
    "profile": ("How often a recipe is nearly the best", "Profile"),
    "tradeoff": ("Accuracy against seconds", "Seconds"),
    "specification": ("Every specification", "Specifications"),
    "recipes": ("The other recipes", "Recipes"),
    "variance": ("Where the spread comes from", "Variance"),
    "curves": ("Learning curves", "Curves"),
    "layers": ("Inside the networks", "Layers"),
    "range_tests": ("Choosing a learning rate", "Range tests"),
}
"""Headings of the figures of a whole suite; others use their figure's own title."""


def _sections(drawings: SuiteFigures) -> Iterator[FigureSection]:
    for field in fields(drawings):
        figure_or_figures = getattr(drawings, field.name)
        if field.name == "claims" or not figure_or_figures:
            continue
        figures = (
            (figure_or_figures,)
            if isinstance(figure_or_figures, RenderedFigure)
            else tuple(figure_or_figures)
        )
        title, short = _TITLES.get(field.name, (figures[0].title, figures[0].title))
        yield FigureSection(field.name.replace("_", "-"), title, short, figures)


def _claims(
    reported: ReportedSuite, results: ResultTables, drawings: SuiteFigures
) -> Sequence[ClaimSection]:
    return [
        _claim(claim, number, reported, results, drawings)
        for number, claim in enumerate(reported.suite.claims, start=1)
    ]


def _claim(
    claim: Claim,
    number: int,
    reported: ReportedSuite,
    results: ResultTables,
    drawings: SuiteFigures,
) -> ClaimSection:
    cases = case_views(claim, _of(claim, results.claims), reported.suite)
    unit = claim_unit(claim)
    return ClaimSection(
        anchor=f"claim-{number}",
        name=claim.name,
        sentence=claim.sentence,
        headline=cases[-1],
        cases=cases,
        details=detail_table(cases),
        published=published_rows(_of(claim, results.published), unit),
        picker=picker(_of(claim, results.confession), unit),
        cherries=cherry_rows(_of(claim, results.cherries)),
        figures=drawings.claims[claim.name],
    )


def _of(claim: Claim, table: pd.DataFrame) -> pd.DataFrame:
    return table[table["claim"] == claim.name]


def _facts(reported: ReportedSuite) -> tuple[tuple[str, str], ...]:
    plan, suite = reported.plan, reported.suite
    backends = dict.fromkeys(reported.records["backend"])
    return (
        ("Suite", f"{suite.name}, {protocol(reported).form}"),
        ("Seeds", f"{seeds(reported)} of each recipe on each backend"),
        ("Backends", ", ".join(backend_name(name) for name in backends)),
        ("Wall time", duration(computing_seconds(reported.records))),
        ("Runs", ", ".join(reported.ledgers)),
        ("Device", ", ".join(reported.devices()) or plan.device),
        ("Precision", plan.precision),
    )
