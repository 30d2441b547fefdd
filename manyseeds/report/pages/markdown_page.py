"""The page of a suite as Markdown: its template, and its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from manyseeds.presentation.markdown import markdown_list, markdown_table
from manyseeds.presentation.theme import RenderedFigure
from manyseeds.report.content.metric_tables import MetricView
from manyseeds.report.pages.suite_page import ClaimSection, SuitePage
from manyseeds.report.pages.templating import markdown

_VERDICT_HEADS = (
    "Improvement", "95 % interval", "Verdict's interval (coverage)", "Baseline", "Treatment",
    "Pairs of promised", "Better / tied / worse", "Seeds to settle",
)  # fmt: skip
_COUNT_HEADS = ("promised", "ok", "diverged", "failed", "timed out", "missing")
_SECONDS_HEADS = (
    "solo rows", "seconds a training (solo)", "compiling (solo)", "seconds a seed (cohort)",
    "compiling (whole cohort)",
)  # fmt: skip


_SECTIONS = ("forest", "rainclouds", "variance", "curves", "layers", "range-tests")
"""Sections whose figures the Markdown page shows; the HTML page shows all."""


def markdown_page(view: SuitePage) -> str:
    """Return a page as Markdown that links to the main figures."""
    shown = {figure.name for figure in markdown_figures(view)}
    return markdown("page.md", page=view, tables=MarkdownTables(view), shown=shown)


def markdown_figures(view: SuitePage) -> Iterator[RenderedFigure]:
    """Yield the figures a Markdown page shows: the first of every claim, and the main sections'.

    A rehearsal, that is a quick form, shows those of the sections alone: it answers no claim.
    """
    if not view.protocol.quick:
        for claim in view.claims:
            yield from claim.figures[:1]
    for section in view.sections:
        if section.anchor in _SECTIONS:
            yield from section.figures


@dataclass(frozen=True)
class MarkdownTables:
    """Returns the tables of one page as Markdown, for the template."""

    page: SuitePage

    def findings(self) -> Markup:
        """Return every claim with its verdict and improvement."""
        rows = [
            (claim.sentence, Markup(f"**{claim.headline.verdict}**"), _gain(claim))
            for claim in self.page.claims
        ]
        return _table(("Claim", "Verdict", "Improvement (95 % interval)"), rows)

    def verdicts(self, claim: ClaimSection) -> Markup:
        """Return the verdicts on a claim by case and backend."""
        rows = [
            (
                case.case, row.name, row.verdict, row.improvement, row.interval, row.judged,
                row.baseline, row.treatment, row.pairs, row.outcomes, row.settle,
            )
            for case in claim.cases
            for row in case.rows
        ]  # fmt: skip
        heads = ("Case", "Backend", "Verdict", *_VERDICT_HEADS)
        return _table(heads, rows, numbers=len(_VERDICT_HEADS), drop_case=len(claim.cases) == 1)

    def details(self, claim: ClaimSection) -> Markup:
        """Return tests and corrections of a claim by case and backend."""
        rows = [(row.case, row.name, *row.cells) for row in claim.details.rows]
        heads = ("Case", "Backend", *claim.details.heads)
        numbers = len(claim.details.heads)
        return _table(heads, rows, numbers=numbers, drop_case=len(claim.cases) == 1)

    def tries(self, claim: ClaimSection) -> Markup:
        """Return how many tries give a 50 % chance of each factor."""
        rows = [(row.figure, row.reached, row.needed, row.interval) for row in claim.cherries]
        heads = ("Factor of errors", "Tries that reach it", "Tries for a 50 % chance")
        return _table((*heads, "95 % interval"), rows, numbers=4)

    def published(self, claim: ClaimSection) -> Markup:
        """Return the published figures among our pairs."""
        rows = [
            (row.label, row.quantity, row.backends, row.figure, row.percentile, row.reached)
            for row in claim.published
        ]
        heads = ("Published", "Quantity", "Percentile by backend", "Figure", "Percentile")
        return _table((*heads, "Pairs that reach it"), rows, numbers=3)

    def summary(self) -> Markup:
        """Return every recipe on every backend."""
        accurate = self.page.unit.factor > 1
        heads = [
            head
            for measure in (("accuracy, %", "error, %") if accurate else ("loss",))
            for head in (f"mean {measure}", "95 % interval", "sd", "median", "min", "max")
        ]
        rows = [(row.recipe, row.case, row.name, *row.cells) for row in self.page.summary]
        numbers = (*_COUNT_HEADS, *heads, *_SECONDS_HEADS)
        return self._recipes(numbers, rows)

    def metric(self, metric: MetricView) -> Markup:
        """Return a metric of every recipe on every backend."""
        rows = [(row.recipe, row.case, row.backend_name, *row.cells) for row in metric.rows]
        return self._recipes(("seeds", "mean", "sd", "median", "min", "max"), rows)

    def _recipes(self, numbers: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
        heads = ("Recipe", "Case", "Backend", *numbers)
        drop_case = not self.page.has_cases
        return _table(heads, rows, numbers=len(numbers), drop_case=drop_case)

    def session(self, session: Mapping[str, Any]) -> Markup:
        """Return everything that was recorded about one start of a run."""
        return markdown_list(session)

    def runs(self) -> Markup:
        """Return all runs of the suite."""
        rows = [
            (
                run.run, "yes" if run.used else "no", run.form, run.suite_sha256, run.settings,
                "; ".join(run.differences) or "–", run.promised, run.ok,
            )
            for run in self.page.runs
        ]  # fmt: skip
        heads = ("Run", "On this page", "Form", "Suite SHA-256", "Settings", "Differences")
        return _table((*heads, "Promised", "ok"), rows, numbers=2)


def _gain(claim: ClaimSection) -> str:
    return "; ".join(filter(None, (claim.headline.gain, claim.headline.factor)))


def _table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: int = 0,
    drop_case: bool = False,
) -> Markup:
    """Return a table whose last columns, as many as there are numbers, are aligned to the right."""
    frame = pd.DataFrame([list(row) for row in rows], columns=list(heads), dtype=object)
    if drop_case:
        frame = frame.drop(columns="Case")
    return markdown_table(frame, heads[len(heads) - numbers :])
