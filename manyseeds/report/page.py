"""What stands on a page, as data, and the two templates that show it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from manyseeds.report.banner import incomplete
from manyseeds.report.cells import (
    CaseView,
    ClaimRow,
    PublishedRow,
    SummaryGroup,
    case_views,
    published_rows,
    summary_groups,
)
from manyseeds.report.drawings import Drawings
from manyseeds.report.figures.theme import Drawn
from manyseeds.report.findings import varied
from manyseeds.report.origin import RunView, provenance, run_views
from manyseeds.report.results import Results
from manyseeds.report.subject import Subject
from manyseeds.report.svg import inlined
from manyseeds.report.wording import Unit, claim_unit, unit

__all__ = ["ClaimRow", "ClaimView", "Page", "html_page", "markdown_page", "page"]


@dataclass(frozen=True)
class ClaimView:
    """A claim on the page: its sentence, what was found, its figures."""

    anchor: str
    name: str
    sentence: str
    headline: CaseView
    cases: tuple[CaseView, ...]
    published: tuple[PublishedRow, ...]
    figures: tuple[Drawn, ...]


@dataclass(frozen=True)
class Page:
    """Everything a page shows, in words and figures.

    Attributes
    ----------
    folder
        Where figures and tables lie, relative to the page.
    incomplete
        Lines of the banner; empty if every promised row was delivered.
    summary
        THE table, by recipe and case.
    provenance
        By run: one tree of keys and values for each time it was started.
    """

    folder: str
    title: str
    description: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    incomplete: tuple[str, ...]
    claims: tuple[ClaimView, ...]
    summary: tuple[SummaryGroup, ...]
    unit: Unit
    varied: str
    overview: tuple[Drawn, ...]
    recipes: Drawn | None
    variance: Drawn | None
    curves: Drawn | None
    layers: Drawn | None
    range_tests: Drawn | None
    runs: tuple[RunView, ...]
    provenance: Mapping[str, Sequence[Mapping[str, Any]]]
    tables: tuple[str, ...]


def page(subject: Subject, results: Results, drawings: Drawings, folder: str) -> Page:
    """Put together what a page shows."""
    suite = subject.suite
    return Page(
        folder=folder,
        title=suite.title,
        description=tuple(filter(None, re.split(r"\n\s*\n", suite.description.strip()))),
        facts=_facts(subject),
        incomplete=incomplete(subject),
        claims=tuple(_claims(subject, results, drawings)),
        summary=summary_groups(results.summary, suite),
        unit=unit(suite.primary),
        varied=varied(suite),
        overview=drawings.overview(),
        recipes=drawings.recipes,
        variance=drawings.variance,
        curves=drawings.curves,
        layers=drawings.layers,
        range_tests=drawings.range_tests,
        runs=run_views(subject),
        provenance=provenance(subject),
        tables=tuple(results.tables()),
    )


def html_page(view: Page) -> str:
    """Return a page as one HTML file that needs nothing else."""
    return _templates().get_template("page.html").render(page=view, inlined=inlined)


def markdown_page(view: Page) -> str:
    """Return a page as Markdown that links to the figures."""
    text = _plain_templates().get_template("page.md").render(page=view)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def markdown_escaped(value: object) -> object:
    """Return a text that Markdown and HTML leave as it is; other values as they are."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    text = " ".join(value.split(" ")).replace("\r", " ").replace("\n", " ")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*|\[\]#~!])", r"\\\1", text)
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)


def _claims(subject: Subject, results: Results, drawings: Drawings) -> Sequence[ClaimView]:
    views = []
    for number, claim in enumerate(subject.suite.claims, start=1):
        rows = results.claims[results.claims["claim"] == claim.name]
        cases = case_views(claim, rows, subject.suite)
        published = results.published[results.published["claim"] == claim.name]
        views.append(
            ClaimView(
                anchor=f"claim-{number}",
                name=claim.name,
                sentence=claim.sentence,
                headline=cases[-1],
                cases=cases,
                published=published_rows(published, claim_unit(claim)),
                figures=drawings.claims[claim.name],
            )
        )
    return views


def _facts(subject: Subject) -> tuple[tuple[str, str], ...]:
    plan, suite = subject.plan, subject.suite
    return (
        ("Suite", f"{suite.name}, {'quick form' if plan.quick else 'full form'}"),
        ("Seeds", f"{suite.seeds} of each recipe on each backend"),
        ("Runs", ", ".join(subject.ledgers)),
        ("Device", ", ".join(subject.devices()) or plan.device),
        ("Precision", plan.precision),
    )


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("manyseeds.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _plain_templates() -> Environment:
    """Return templates for Markdown: every value is escaped as Markdown needs it."""
    return Environment(
        loader=PackageLoader("manyseeds.report"),
        autoescape=False,
        finalize=markdown_escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
