"""What stands on the page of a suite, as data, and the two templates that show it."""

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
    SummaryRow,
    case_views,
    detail_table,
    published_rows,
    summary_rows,
)
from manyseeds.report.content.incomplete_rows import incomplete
from manyseeds.report.content.metric_tables import MetricView, metric_views
from manyseeds.report.content.protocol import TrainedProtocol, protocol, seeds
from manyseeds.report.content.run_provenance import RunView, provenance, run_views
from manyseeds.report.content.wall_time import computing_seconds
from manyseeds.report.figures.suite_figures import SuiteFigures
from manyseeds.report.pages.templating import html, markdown
from manyseeds.report.reported_suites import ReportedSuite
from manyseeds.report.result_tables import ResultTables
from manyseeds.suite.claims import Claim

__all__ = ["ClaimRow", "ClaimView", "SuitePage", "html_page", "markdown_page", "page"]


@dataclass(frozen=True)
class ClaimView:
    """A claim on the page: its sentence, what was found, its figures."""

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
        Where it is; its heading; what the contents call it.
    figures
        At least one.
    """

    anchor: str
    title: str
    short: str
    figures: tuple[RenderedFigure, ...]


@dataclass(frozen=True)
class SuitePage:
    """Everything a page shows, in words and figures.

    Attributes
    ----------
    folder
        Where figures and tables lie, relative to the page.
    protocol
        Whether it is the full protocol, and what differs.
    incomplete
        Lines of the banner; empty if every promised row was delivered.
    backends
        By their names in the ledger, as their makers write them.
    summary
        THE table, by recipe, case and backend.
    metrics
        The spread of the other metrics.
    provenance
        By run: one tree of keys and values for each time it was started.
    tables
        Files that hold the tables, relative to the page, by name.
    """

    folder: str
    title: str
    description: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    protocol: TrainedProtocol
    incomplete: tuple[str, ...]
    claims: tuple[ClaimView, ...]
    backends: Mapping[str, str]
    recipes_shown: tuple[str, ...]
    summary: tuple[SummaryRow, ...]
    metrics: tuple[MetricView, ...]
    metric_unit: Unit
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
    """Where the parts of a suite's report lie, relative to its page.

    Attributes
    ----------
    folder
        Of figures and tables.
    tables
        Files by what they hold; none if no tables are written.
    """

    folder: str
    tables: Mapping[str, str]


def page(
    subject: ReportedSuite,
    results: ResultTables,
    drawings: SuiteFigures,
    metrics: pd.DataFrame,
    files: PageFiles,
) -> SuitePage:
    """Put together what a page shows; `metrics` are those of `metrics_table`."""
    suite = subject.suite
    summary = summary_rows(results.summary, suite)
    return SuitePage(
        folder=files.folder,
        title=suite.title,
        description=tuple(filter(None, re.split(r"\n\s*\n", suite.description.strip()))),
        facts=_facts(subject),
        protocol=protocol(subject),
        incomplete=incomplete(subject),
        claims=tuple(_claims(subject, results, drawings)),
        backends={row.backend: row.name for row in summary},
        recipes_shown=tuple(dict.fromkeys(row.recipe for row in summary)),
        summary=summary,
        metrics=metric_views(metrics),
        metric_unit=metric_unit(suite.primary),
        varied=varied(suite),
        sections=tuple(_sections(drawings)),
        runs=run_views(subject),
        provenance=provenance(subject),
        tables=files.tables,
    )


def html_page(view: SuitePage) -> str:
    """Return a page as one HTML file that needs nothing else."""
    return html("page.html", page=view)


def markdown_page(view: SuitePage) -> str:
    """Return a page as Markdown that links to the figures."""
    return markdown("page.md", page=view)


_TITLES = {
    "forest": ("All claims together", "All claims"),
    "rainclouds": ("Every seed", "Seeds"),
    "profile": ("How often a recipe is nearly the best", "Profile"),
    "tradeoff": ("Accuracy against seconds", "Seconds"),
    "specification": ("Every way to ask", "Specifications"),
    "recipes": ("The other recipes", "Recipes"),
    "variance": ("Where the scatter comes from", "Variance"),
    "curves": ("How they learned", "Curves"),
    "layers": ("Inside the networks", "Layers"),
    "range_tests": ("Which rate to take", "Range tests"),
}
"""Headings of the figures of a whole suite; others have their figure's own title."""


def _sections(drawings: SuiteFigures) -> Iterator[FigureSection]:
    for field in fields(drawings):
        found = getattr(drawings, field.name)
        if field.name == "claims" or not found:
            continue
        figures = (found,) if isinstance(found, RenderedFigure) else tuple(found)
        title, short = _TITLES.get(field.name, (figures[0].title, figures[0].title))
        yield FigureSection(field.name.replace("_", "-"), title, short, figures)


def _claims(
    subject: ReportedSuite, results: ResultTables, drawings: SuiteFigures
) -> Sequence[ClaimView]:
    return [
        _claim(claim, number, subject, results, drawings)
        for number, claim in enumerate(subject.suite.claims, start=1)
    ]


def _claim(
    claim: Claim, number: int, subject: ReportedSuite, results: ResultTables, drawings: SuiteFigures
) -> ClaimView:
    cases = case_views(claim, _of(claim, results.claims), subject.suite)
    unit = claim_unit(claim)
    return ClaimView(
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


def _facts(subject: ReportedSuite) -> tuple[tuple[str, str], ...]:
    plan, suite = subject.plan, subject.suite
    backends = dict.fromkeys(subject.records["backend"])
    return (
        ("Suite", f"{suite.name}, {protocol(subject).form}"),
        ("Seeds", f"{seeds(subject)} of each recipe on each backend"),
        ("Backends", ", ".join(backend_name(name) for name in backends)),
        ("Wall time", duration(computing_seconds(subject.records))),
        ("Runs", ", ".join(subject.ledgers)),
        ("Device", ", ".join(subject.devices()) or plan.device),
        ("Precision", plan.precision),
    )
