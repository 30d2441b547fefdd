"""Writes a report: an index, the techniques, the chapter's claims, and a page per suite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from manyseeds.errors import RequestError, unknown
from manyseeds.ledger.ledger import Ledger
from manyseeds.presentation.theme import RenderedFigure
from manyseeds.processes.calls import mapped
from manyseeds.processes.host import cores
from manyseeds.report.figures.suite_figures import SuiteFigures, drawings
from manyseeds.report.formats import DEFAULT_FORMATS, FORMATS
from manyseeds.report.output_folder import OutputFolder, RenderedReport
from manyseeds.report.pages.chapter_page import (
    chapter_page,
    chapter_table,
    html_chapter,
    markdown_chapter,
)
from manyseeds.report.pages.csv_file import csv_bytes
from manyseeds.report.pages.index_page import (
    SuiteEntry,
    entry,
    html_overview,
    markdown_overview,
    overview,
    overview_table,
)
from manyseeds.report.pages.latex import claims_tex, summary_tex
from manyseeds.report.pages.markdown_page import markdown_figures, markdown_page
from manyseeds.report.pages.suite_page import PageFiles, SuitePage, html_page, page
from manyseeds.report.pages.techniques_page import (
    html_techniques,
    markdown_techniques,
    techniques_page,
    uses,
    uses_table,
)
from manyseeds.report.parity_report import ParityMatrix
from manyseeds.report.reported_suites import ReportedSuite, reported_suites
from manyseeds.report.result_tables import ResultTables
from manyseeds.report.shown_tables import shown_table, shown_tables

_PAGE_FORMATS = ("html", "md")
_SUFFIXES = {"html": {".svg", ".png"}, "md": {".svg"}, "csv": {".csv"}, "latex": {".tex"}}
_INDEX, _TECHNIQUES, _CHAPTER = "index", "techniques", "chapter"


def render(
    ledgers: Sequence[Ledger],
    out: Path,
    formats: Sequence[str] = DEFAULT_FORMATS,
    parity: ParityMatrix | None = None,
) -> RenderedReport:
    """Write the report of all suites in some ledgers.

    The files: the index `<out>/index.html`, the techniques `<out>/techniques.html`, the chapter's
    claims `<out>/chapter.html` (if a suite tests any of them) and a page per suite
    `<out>/<suite>.html`, each one self-contained file; the same pages as Markdown, with the main
    figures; and in `<out>/<suite>/` the figures as SVG, with the HTML pages as PNG too, and the
    tables as CSV and LaTeX. The page of a quick form is `<suite>-quick`.

    Parameters
    ----------
    ledgers
        The runs; `manyseeds.report.reported_suites` says which of them a page shows.
    out
        The folder; made if need be. Files of an earlier report are replaced, or removed if they
        belong to a suite that this one has; no others (`manyseeds.report.output_folder`).
    formats
        Any of `FORMATS`: pages as "html" and "md", which bring their figures; tables as "csv" and
        "latex".
    parity
        The results of the parity kit, for the page of the techniques.

    Raises
    ------
    RequestError
        No ledgers, an unknown format, or two suites that differ in capital letters only.
    RunError
        A ledger is damaged, or `out` cannot be written.
    """
    _check_request(ledgers, formats)
    folder, suites = OutputFolder(out), reported_suites(ledgers)
    addresses = [reported.label for reported in suites]
    _check_distinct(addresses)
    folder.check(f"{address}/figure" for address in addresses)
    pages: list[str] = []
    entries, written = [], set[str]()
    for rendered in _suite_files(suites, formats):
        folder.write(rendered.files)
        written |= set(rendered.files)
        pages += [name for name in rendered.files if "/" not in name]
        entries.append(rendered.entry)
    over_all = _over_all(entries, formats, parity)
    folder.write(over_all)
    folder.remove(_stale(folder, {*written, *over_all}, addresses, formats))
    return RenderedReport(tuple(out / name for name in (*over_all, *pages)), tuple(folder.notes))


def _check_request(ledgers: Sequence[Ledger], formats: Sequence[str]) -> None:
    if not ledgers:
        raise RequestError("nothing to report: there are no runs. Make one with `manyseeds run`.")
    for name in formats:
        if name not in FORMATS:
            raise RequestError(unknown("format", name, FORMATS))


def _check_distinct(addresses: Sequence[str]) -> None:
    """Refuse two pages that would be one file where capital letters do not tell names apart."""
    seen: dict[str, str] = {}
    for address in addresses:
        other = seen.setdefault(address.casefold(), address)
        if other != address:
            raise RequestError(
                f"the pages of {other!r} and {address!r} would be one file on Windows and macOS: "
                "report these suites into two folders"
            )


def _stale(
    folder: OutputFolder, written: Set[str], addresses: Sequence[str], formats: Sequence[str]
) -> Callable[[str], bool]:
    """Return whether an earlier report's file is one that this report would have, and has not."""
    suffixes = {suffix for kind in formats for suffix in _SUFFIXES[kind]}

    def stale(name: str) -> bool:
        path = PurePosixPath(name)
        if name in written:
            return False
        if len(path.parts) == 1:
            return path.stem == _CHAPTER and path.suffix.removeprefix(".") in formats
        address = path.parts[0]
        linked = "html" not in formats and folder.wrote(f"{address}.html")
        return (
            address in addresses
            and path.suffix in suffixes
            and not (path.suffix == ".svg" and linked)
        )

    return stale


@dataclass(frozen=True)
class SuiteFiles:
    """One suite's files by their path in the folder, and its line on the index."""

    files: Mapping[str, bytes]
    entry: SuiteEntry


def _suite_files(suites: Sequence[ReportedSuite], formats: Sequence[str]) -> Iterator[SuiteFiles]:
    """Yield the files of every suite, made on all cores: most of the time goes into drawing."""
    calls = [(reported, formats) for reported in suites]
    if min(cores(), len(calls)) == 1:
        yield from (render_suite(*call) for call in calls)
    else:
        yield from mapped(f"{__name__}:{render_suite.__name__}", calls, cores())


def render_suite(reported: ReportedSuite, formats: Sequence[str]) -> SuiteFiles:
    """Return the files of a suite, by its address."""
    name, tables = reported.label, ResultTables(reported)
    figures = drawings(reported, tables) if {*formats} & {*_PAGE_FORMATS} else _no_figures(reported)
    frames = shown_tables(tables) if "csv" in formats else {}
    csv = {kind: f"{name}/{kind}.csv" for kind in frames}
    view = page(reported, tables, figures, PageFiles(name, csv))
    files = {path: csv_bytes(frames[kind]) for kind, path in csv.items()}
    drawn = figures.all() if "html" in formats else markdown_figures(view)
    figure_files = _figure_files(drawn, png="html" in formats)
    files |= {f"{name}/{path}": content for path, content in figure_files.items()}
    files |= _pages(name, view, formats)
    claims, used = shown_table(tables, "claims"), uses(tables.summary, reported.suite)
    return SuiteFiles(files, entry(reported, view, claims, used))


def _no_figures(reported: ReportedSuite) -> SuiteFigures:
    nothing: dict[str, Any] = {field.name: None for field in fields(SuiteFigures)}
    return SuiteFigures(**nothing | {"claims": {claim.name: () for claim in reported.suite.claims}})


def _figure_files(figures: Iterable[RenderedFigure], *, png: bool) -> dict[str, bytes]:
    files = {}
    for figure in figures:
        files[f"{figure.name}.svg"] = figure.svg
        if png:
            files[f"{figure.name}.png"] = figure.png
    return files


def _pages(name: str, view: SuitePage, formats: Sequence[str]) -> dict[str, bytes]:
    """Return the requested pages and LaTeX tables of a suite by their paths."""
    makers = {
        "html": {f"{name}.html": html_page},
        "md": {f"{name}.md": markdown_page},
        "latex": {f"{name}/summary.tex": summary_tex, f"{name}/claims.tex": claims_tex},
    }
    requested = [pair for kind in formats for pair in makers.get(kind, {}).items()]
    return {path: maker(view).encode() for path, maker in requested}


def _over_all(
    entries: Sequence[SuiteEntry], formats: Sequence[str], parity: ParityMatrix | None
) -> dict[str, bytes]:
    """Return the pages over all suites: index, techniques, and the chapter if it has answers."""
    all_uses = [use for suite in entries for use in suite.uses]
    backends = list(dict.fromkeys(backend for suite in entries for backend in suite.backends))
    csv = "csv" in formats
    techniques = techniques_page(all_uses, parity, backends, f"{_TECHNIQUES}.csv" if csv else None)
    files: dict[str, bytes] = {}
    chapter = chapter_page(entries, f"{_CHAPTER}.csv" if csv else None)
    for kind in (kind for kind in _PAGE_FORMATS if kind in formats):
        index = overview(entries, kind, f"{_INDEX}.csv" if csv else None, chapter is not None)
        index_text = html_overview(index) if kind == "html" else markdown_overview(index)
        techniques_text = (
            html_techniques(techniques) if kind == "html" else markdown_techniques(techniques)
        )
        files |= {
            f"{_INDEX}.{kind}": index_text.encode(),
            f"{_TECHNIQUES}.{kind}": techniques_text.encode(),
        }
        if chapter:
            chapter_text = html_chapter(chapter) if kind == "html" else markdown_chapter(chapter)
            files[f"{_CHAPTER}.{kind}"] = chapter_text.encode()
    if csv:
        files[f"{_INDEX}.csv"] = csv_bytes(overview_table(entries))
        files[f"{_TECHNIQUES}.csv"] = csv_bytes(uses_table(all_uses))
        if chapter:
            files[f"{_CHAPTER}.csv"] = csv_bytes(chapter_table(chapter))
    return files
