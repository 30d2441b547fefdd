"""The index page: every claim of every suite, and what each suite cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import pandas as pd

from manyseeds.presentation.wording import NONE, duration
from manyseeds.report.content.protocol import TrainedProtocol, seeds
from manyseeds.report.content.wall_time import computing_seconds
from manyseeds.report.pages.suite_page import ClaimView, SuitePage
from manyseeds.report.pages.techniques_page import TechniqueUse
from manyseeds.report.pages.templating import html, markdown
from manyseeds.report.reported_suites import ReportedSuite
from manyseeds.statistics.verdict import Verdict

VERDICTS: tuple[str, ...] = get_args(Verdict)


@dataclass(frozen=True)
class ClaimLine:
    """A claim on the index page.

    Attributes
    ----------
    anchor
        On the suite's page.
    verdicts
        By backend, as in the ledger; a backend that the suite has not run on is absent.
    """

    anchor: str
    name: str
    sentence: str
    verdict: str
    improvement: str
    interval: str
    verdicts: Mapping[str, str]
    pairs: str


@dataclass(frozen=True)
class SuiteEntry:
    """A suite on the index page, and what the page of the techniques takes from it.

    Attributes
    ----------
    label
        What tells it from the suite's other form.
    page
        Name of the suite's page, without an ending.
    seconds
        Computed for; NaN if unknown.
    delivered
        Rows that are ok, of those promised.
    """

    suite: str
    label: str
    title: str
    page: str
    protocol: TrainedProtocol
    seeds: int
    seconds: float
    delivered: str
    complete: bool
    device: str
    backends: Mapping[str, str]
    claims: tuple[ClaimLine, ...]
    uses: tuple[TechniqueUse, ...]

    @property
    def wall_time(self) -> str:
        """The seconds as people read them."""
        return duration(self.seconds)

    @property
    def counts(self) -> str:
        """How many claims have each verdict."""
        return counted(claim.verdict for claim in self.claims)


@dataclass(frozen=True)
class IndexPage:
    """The index page.

    Attributes
    ----------
    table
        The file with the same as CSV, if there is one.
    chapter
        Whether there is a page of the chapter's claims.
    """

    entries: tuple[SuiteEntry, ...]
    backends: Mapping[str, str]
    verdicts: tuple[str, ...]
    kind: str
    table: str | None
    chapter: bool

    @property
    def claims(self) -> int:
        """How many claims there are."""
        return sum(len(entry.claims) for entry in self.entries)

    @property
    def counts(self) -> str:
        """How many claims have each verdict, over all backends."""
        return counted(claim.verdict for entry in self.entries for claim in entry.claims)

    @property
    def quick(self) -> int:
        """How many suites are not in their full protocol."""
        return sum(entry.protocol.form != "full protocol" for entry in self.entries)

    @property
    def wall_time(self) -> str:
        """Of all suites together."""
        known = [entry.seconds for entry in self.entries if not math.isnan(entry.seconds)]
        return duration(sum(known)) if known else NONE


def entry(
    subject: ReportedSuite, view: SuitePage, name: str, uses: Sequence[TechniqueUse]
) -> SuiteEntry:
    """Return what the index page tells of a suite."""
    records = subject.records
    ok = int((records["status"] == "ok").sum())
    return SuiteEntry(
        suite=subject.suite.name,
        label=subject.label,
        title=subject.suite.title,
        page=name,
        protocol=view.protocol,
        seeds=seeds(subject),
        seconds=computing_seconds(records),
        delivered=f"{ok:,} of {len(records):,}",
        complete=not view.incomplete,
        device=", ".join(subject.devices()) or subject.plan.device,
        backends=view.backends,
        claims=tuple(_line(claim) for claim in view.claims),
        uses=tuple(uses),
    )


def overview(
    entries: Sequence[SuiteEntry], kind: str, table: str | None, chapter: bool
) -> IndexPage:
    """Put the index page together; its links go to pages of a kind, "html" or "md"."""
    backends = {key: name for one in entries for key, name in one.backends.items()}
    return IndexPage(tuple(entries), backends, VERDICTS, kind, table, chapter)


def html_overview(view: IndexPage) -> str:
    """Return the index page as one HTML file."""
    return html("index.html", page=view)


def markdown_overview(view: IndexPage) -> str:
    """Return the index page as Markdown."""
    return markdown("index.md", page=view)


def overview_table(entries: Sequence[SuiteEntry]) -> pd.DataFrame:
    """Return one row per claim, as on the index page; verdicts by backend in columns of theirs."""
    rows = [
        {
            "suite": one.label,
            "form": one.protocol.form,
            "claim": claim.name,
            "sentence": claim.sentence,
            "verdict": claim.verdict,
            "improvement": claim.improvement,
            "interval": claim.interval,
            **{f"verdict_{name}": claim.verdicts.get(name) for name in one.backends},
            "pairs": claim.pairs,
            "seconds": one.seconds,
        }
        for one in entries
        for claim in one.claims
    ]
    return pd.DataFrame(rows)


def counted(verdicts: object) -> str:
    """Return "holds 3, negligible 1"; nothing for no claims."""
    found = Counter(verdicts)  # type: ignore[call-overload]
    return ", ".join(f"{name} {found[name]}" for name in VERDICTS if found[name])


def _line(claim: ClaimView) -> ClaimLine:
    pooled = next(row for row in claim.headline.rows if row.pooled)
    return ClaimLine(
        anchor=claim.anchor,
        name=claim.name,
        sentence=claim.sentence,
        verdict=pooled.verdict,
        improvement=claim.headline.improvement,
        interval=pooled.interval,
        verdicts={row.backend: row.verdict for row in claim.headline.rows if not row.pooled},
        pairs=pooled.pairs,
    )
