"""The page of the chapter: each of its claims, what was asked of it, and the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from manyseeds.report.pages.index_page import ClaimLine, SuiteEntry, counted
from manyseeds.report.pages.templating import html, markdown
from manyseeds.suite.chapter import chapter_claims


@dataclass(frozen=True)
class ChapterAnswer:
    """A suite's claim and what was found; `line` and `entry` are None if it was not run."""

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
        """How many lines of the table it takes."""
        return len(self.answers) + (self.unasked is not None)


@dataclass(frozen=True)
class ChapterPage:
    """The table; `table` is the file with the same as CSV, if there is one."""

    rows: tuple[ChapterRow, ...]
    backends: Mapping[str, str]
    table: str | None

    @property
    def answered(self) -> int:
        """How many claims of the chapter have at least one verdict."""
        return sum(any(a.line for a in row.answers) for row in self.rows)

    @property
    def unasked(self) -> int:
        """How many no suite asks at all."""
        return sum(not row.answers for row in self.rows)

    @property
    def counts(self) -> str:
        """How many questions have each verdict, over all backends; one asked twice counts once."""
        lines = {(a.suite, a.claim): a.line for row in self.rows for a in row.answers if a.line}
        return counted(line.verdict for line in lines.values())


def chapter_page(entries: Sequence[SuiteEntry], table: str | None) -> ChapterPage | None:
    """Put the page together; None if these suites answer nothing of the chapter."""
    rows = tuple(
        ChapterRow(one.number, one.sentence, tuple(_answers(one.asked, entries)), one.unasked)
        for one in chapter_claims()
    )
    backends = {key: name for one in entries for key, name in one.backends.items()}
    page = ChapterPage(rows, backends, table)
    return page if page.answered else None


def _answers(asked: Sequence[str], entries: Sequence[SuiteEntry]) -> Iterator[ChapterAnswer]:
    """Yield an answer to every question: that of the full form, if it was asked there."""
    known: dict[str, tuple[SuiteEntry, ClaimLine]] = {}
    for entry in entries:  # the full form of a suite comes before its quick one
        for line in entry.claims:
            known.setdefault(f"{entry.suite}.{line.name}", (entry, line))
    for name in asked:
        suite, claim = name.split(".")
        yield ChapterAnswer(suite, claim, *known.get(name, (None, None)))


def html_chapter(view: ChapterPage) -> str:
    """Return the page as one HTML file."""
    return html("chapter.html", page=view)


def markdown_chapter(view: ChapterPage) -> str:
    """Return the page as Markdown."""
    return markdown("chapter.md", page=view)


def chapter_table(view: ChapterPage) -> pd.DataFrame:
    """Return one row per claim of the chapter and question; verdicts by backend in columns."""
    rows = []
    for row in view.rows:
        told = {"number": row.number, "chapter": row.sentence, "unasked": row.unasked}
        rows += [told | _cells(answer) for answer in row.answers] or [told]
    return pd.DataFrame(rows)


def _cells(answer: ChapterAnswer) -> dict[str, object]:
    cells: dict[str, object] = {"suite": answer.suite, "claim": answer.claim}
    if answer.line is None or answer.entry is None:
        return cells | {"verdict": "not run"}
    line = answer.line
    return cells | {
        "verdict": line.verdict,
        "improvement": line.improvement,
        "interval": line.interval,
        **{f"verdict_{name}": line.verdicts.get(name) for name in answer.entry.backends},
        "pairs": line.pairs,
        "form": answer.entry.protocol.form,
    }
