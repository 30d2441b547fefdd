"""The page of the chapter: each of its claims, the questions asked about it, and the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from manyseeds.presentation.markdown import markdown_table
from manyseeds.presentation.wording import NONE
from manyseeds.report.pages.index_page import ClaimLine, SuiteEntry, counted
from manyseeds.report.pages.templating import html, markdown
from manyseeds.suite.chapter import chapter_claims


@dataclass(frozen=True)
class ChapterAnswer:
    """A suite's claim and its result; `line` and `entry` are None if the suite was not run."""

    suite: str
    claim: str
    entry: SuiteEntry | None
    line: ClaimLine | None


@dataclass(frozen=True)
class ChapterRow:
    """A claim of the chapter with its answers."""

    number: int
    sentence: str
    answers: tuple[ChapterAnswer, ...]
    unasked: str | None

    @property
    def lines(self) -> int:
        """The number of lines it takes in the table."""
        return len(self.answers) + (self.unasked is not None)


@dataclass(frozen=True)
class ChapterPage:
    """The table of the chapter's claims; `table` is the CSV file with the same rows, if any."""

    rows: tuple[ChapterRow, ...]
    backends: Mapping[str, str]
    table: str | None

    @property
    def answered(self) -> int:
        """The number of claims of the chapter with at least one verdict."""
        return sum(any(a.line for a in row.answers) for row in self.rows)

    @property
    def unasked(self) -> int:
        """The number of claims that no suite tests."""
        return sum(not row.answers for row in self.rows)

    @property
    def counts(self) -> str:
        """The number of questions with each verdict, over all backends; a question counts once."""
        lines = {(a.suite, a.claim): a.line for row in self.rows for a in row.answers if a.line}
        return counted(line.verdict for line in lines.values())


def chapter_page(entries: Sequence[SuiteEntry], table: str | None) -> ChapterPage | None:
    """Return the page, or None if these suites answer no claim of the chapter."""
    rows = tuple(
        ChapterRow(
            claim.number, claim.sentence, tuple(_answers(claim.asked, entries)), claim.unasked
        )
        for claim in chapter_claims()
    )
    backends = {key: name for entry in entries for key, name in entry.backends.items()}
    page = ChapterPage(rows, backends, table)
    return page if page.answered else None


def _answers(questions: Sequence[str], entries: Sequence[SuiteEntry]) -> Iterator[ChapterAnswer]:
    """Yield an answer to every question: the full form's if it has one."""
    known: dict[str, tuple[SuiteEntry, ClaimLine]] = {}
    for entry in entries:  # the full form of a suite comes before its quick one
        for line in entry.claims:
            known.setdefault(f"{entry.suite}.{line.name}", (entry, line))
    for name in questions:
        suite, claim = name.split(".")
        yield ChapterAnswer(suite, claim, *known.get(name, (None, None)))


def html_chapter(view: ChapterPage) -> str:
    """Return the page as one HTML file."""
    return html("chapter.html", page=view)


def markdown_chapter(view: ChapterPage) -> str:
    """Return the page as Markdown."""
    return markdown("chapter.md", page=view, claims=_claims_table(view))


def _claims_table(view: ChapterPage) -> Markup:
    heads = ["№", "The chapter says", "Question", "Verdict", "Improvement", "95 % interval"]
    heads += [*view.backends.values(), "Seeds", "Form"]
    rows = [row for claim in view.rows for row in _lines(claim, view.backends)]
    right = ("№", "Improvement", "95 % interval", "Seeds")
    return markdown_table(pd.DataFrame(rows, columns=heads, dtype=object), right)


def _lines(claim: ChapterRow, backends: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield the lines of a claim; only the first has its number and sentence."""
    start = [f"{claim.number}", claim.sentence]
    empty = [""] * len(backends)
    for answer in claim.answers:
        if answer.line is None or answer.entry is None:
            question = f"{answer.suite}: {answer.claim}"
            yield [*start, question, "not run", "", "", *empty, "", ""]
        else:
            line = answer.line
            verdicts = [line.verdicts.get(backend, NONE) for backend in backends]
            result = [Markup(f"**{line.verdict}**"), line.improvement, line.interval]
            yield [
                *start,
                line.sentence,
                *result,
                *verdicts,
                line.pairs,
                answer.entry.protocol.form,
            ]
        start = ["", ""]
    if claim.unasked:
        yield [*start, f"Not tested: {claim.unasked}", NONE, "", "", *empty, "", ""]


def chapter_table(view: ChapterPage) -> pd.DataFrame:
    """Return one row per claim of the chapter and question, with verdicts by backend."""
    rows = []
    for row in view.rows:
        claim = {"number": row.number, "chapter": row.sentence, "unasked": row.unasked}
        rows += [claim | _cells(answer) for answer in row.answers] or [claim]
    return pd.DataFrame(rows)


def _cells(answer: ChapterAnswer) -> dict[str, object]:
    cells: dict[str, object] = {"suite": answer.suite, "claim": answer.claim}
    if answer.line is None or answer.entry is None:
        return cells | {"verdict": "not run"}
    line = answer.line
    return cells | {
        "verdict": line.verdict,
        **line.numbers,
        **{f"verdict_{name}": line.verdicts.get(name) for name in answer.entry.backends},
        "form": answer.entry.protocol.form,
    }
