"""The index page: every claim of every suite, and the time each suite took."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import pandas as pd
from markupsafe import Markup

from manyseeds.presentation.markdown import markdown_link, markdown_table
from manyseeds.presentation.wording import NONE, duration
from manyseeds.report.content.protocol import TrainedProtocol, seeds
from manyseeds.report.content.wall_time import computing_seconds
from manyseeds.report.frame_rows import rows_of
from manyseeds.report.pages.suite_page import ClaimSection, SuitePage
from manyseeds.report.pages.techniques_page import TechniqueUse
from manyseeds.report.pages.templating import html, markdown
from manyseeds.report.reported_suites import ReportedSuite
from manyseeds.statistics.pairs import ALL
from manyseeds.statistics.verdict import Verdict

VERDICTS: tuple[str, ...] = get_args(Verdict)


@dataclass(frozen=True)
class ClaimLine:
    """A claim on the index page.

    Attributes
    ----------
    anchor
        The claim's anchor on the suite's page.
    verdicts
        By the backend's name in the ledger; backends that the suite has not run on are absent.
    numbers
        The numbers behind the texts, with their unit, by column of the CSV.
    """

    anchor: str
    name: str
    sentence: str
    verdict: str
    improvement: str
    interval: str
    verdicts: Mapping[str, str]
    pairs: str
    numbers: Mapping[str, Any]


@dataclass(frozen=True)
class SuiteEntry:
    """A suite on the index page, with its uses of techniques for the page of the techniques.

    Attributes
    ----------
    label
        The address of its page, without suffix: the suite's name, with "-quick" for the quick form.
    seconds
        The wall time; NaN if unknown.
    delivered
        Rows that are ok, of those promised.
    """

    suite: str
    label: str
    title: str
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
        """The wall time in words."""
        return duration(self.seconds)

    @property
    def counts(self) -> str:
        """The number of claims with each verdict."""
        return counted(claim.verdict for claim in self.claims)


@dataclass(frozen=True)
class IndexPage:
    """The index page.

    Attributes
    ----------
    table
        The CSV file with the same table, if there is one.
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
        """The number of claims."""
        return sum(len(entry.claims) for entry in self.entries)

    @property
    def counts(self) -> str:
        """The number of claims with each verdict, over all backends."""
        return counted(claim.verdict for entry in self.entries for claim in entry.claims)

    @property
    def quick(self) -> int:
        """The number of suites that were not run in their full protocol."""
        return sum(entry.protocol.form != "full protocol" for entry in self.entries)

    @property
    def wall_time(self) -> str:
        """The wall time of all suites together."""
        known = [entry.seconds for entry in self.entries if not math.isnan(entry.seconds)]
        return duration(sum(known)) if known else NONE


def entry(
    reported: ReportedSuite,
    view: SuitePage,
    claims: pd.DataFrame,
    uses: Sequence[TechniqueUse],
) -> SuiteEntry:
    """Return a suite's entry on the index page; `claims` is in the units of the page."""
    records = reported.records
    ok = int((records["status"] == "ok").sum())
    return SuiteEntry(
        suite=reported.suite.name,
        label=reported.label,
        title=reported.suite.title,
        protocol=view.protocol,
        seeds=seeds(reported),
        seconds=computing_seconds(records),
        delivered=f"{ok:,} of {len(records):,}",
        complete=not view.incomplete,
        device=", ".join(reported.devices()) or reported.plan.device,
        backends=view.backends,
        claims=tuple(_line(claim, claims) for claim in view.claims),
        uses=tuple(uses),
    )


def overview(
    entries: Sequence[SuiteEntry], kind: str, table: str | None, chapter: bool
) -> IndexPage:
    """Return the index page; its links go to pages of a kind, "html" or "md"."""
    backends = {key: name for suite in entries for key, name in suite.backends.items()}
    return IndexPage(tuple(entries), backends, VERDICTS, kind, table, chapter)


def html_overview(view: IndexPage) -> str:
    """Return the index page as one HTML file."""
    return html("index.html", page=view)


def markdown_overview(view: IndexPage) -> str:
    """Return the index page as Markdown."""
    return markdown("index.md", page=view, claims=_claims_table(view), suites=_suites_table(view))


def _claims_table(view: IndexPage) -> Markup:
    heads = ["Suite", "Claim", "Verdict", "Improvement", "95 % interval"]
    rows = [
        [
            suite.label,
            markdown_link(claim.sentence, f"{suite.label}.{view.kind}"),
            Markup(f"**{claim.verdict}**"),
            claim.improvement,
            claim.interval,
            *(claim.verdicts.get(backend, NONE) for backend in view.backends),
            claim.pairs,
            suite.wall_time,
            suite.protocol.form,
        ]
        for suite in view.entries
        for claim in suite.claims
    ]
    heads += [*view.backends.values(), "Seeds", "Wall time", "Form"]
    right = ("Improvement", "95 % interval", "Seeds", "Wall time")
    return markdown_table(pd.DataFrame(rows, columns=heads, dtype=object), right)


def _suites_table(view: IndexPage) -> Markup:
    rows = [
        {
            "Suite": markdown_link(suite.title, f"{suite.label}.{view.kind}"),
            "Form": suite.protocol.form,
            "Seeds": f"{suite.seeds}",
            "Backends": ", ".join(suite.backends.values()),
            "Rows ok of promised": suite.delivered,
            "Wall time": suite.wall_time,
            "Device": suite.device,
            "Verdicts": suite.counts or "no claims",
        }
        for suite in view.entries
    ]
    return markdown_table(pd.DataFrame(rows), ("Seeds", "Rows ok of promised", "Wall time"))


def overview_table(entries: Sequence[SuiteEntry]) -> pd.DataFrame:
    """Return one row per claim, as on the index page, with a column of verdicts per backend."""
    rows = [
        {
            "suite": suite.suite,
            "form": suite.protocol.form,
            "claim": claim.name,
            "sentence": claim.sentence,
            "verdict": claim.verdict,
            **claim.numbers,
            **{f"verdict_{name}": claim.verdicts.get(name) for name in suite.backends},
            "seconds": suite.seconds,
        }
        for suite in entries
        for claim in suite.claims
    ]
    return pd.DataFrame(rows)


def counted(verdicts: object) -> str:
    """Return "holds 3, negligible 1"; nothing for no claims."""
    counts = Counter(verdicts)  # type: ignore[call-overload]
    return ", ".join(f"{name} {counts[name]}" for name in VERDICTS if counts[name])


_NUMBERS = ["improvement", "unit", "low", "high", "pairs", "promised"]
"""The columns of the table of claims that the CSV over all suites has."""


def _line(claim: ClaimSection, claims: pd.DataFrame) -> ClaimLine:
    pooled = next(row for row in claim.headline.rows if row.pooled)
    rows = claims[(claims["claim"] == claim.name) & (claims["backend"] == ALL)]
    return ClaimLine(
        anchor=claim.anchor,
        name=claim.name,
        sentence=claim.sentence,
        verdict=pooled.verdict,
        improvement=claim.headline.improvement,
        interval=pooled.interval,
        verdicts={row.backend: row.verdict for row in claim.headline.rows if not row.pooled},
        pairs=pooled.pairs,
        numbers=rows_of(rows[_NUMBERS])[-1],  # the last case is the headline
    )
