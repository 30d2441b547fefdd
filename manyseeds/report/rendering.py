"""Writes a report: an index, the techniques, the chapter's claims, and a page per suite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from manyseeds.errors import RequestError, explained, unknown
from manyseeds.ledger.ledger import Ledger
from manyseeds.presentation.theme import RenderedFigure
from manyseeds.processes.calls import mapped
from manyseeds.processes.host import cores
from manyseeds.report.content.metric_tables import metrics_table
from manyseeds.report.figures.suite_figures import SuiteFigures, drawings, file_names
from manyseeds.report.formats import DEFAULT_FORMATS, FORMATS
from manyseeds.report.pages.chapter_page import (
    chapter_page,
    chapter_table,
    html_chapter,
    markdown_chapter,
)
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
from manyseeds.report.result_tables import results

_PAGE_FORMATS = ("html", "md")
_SUFFIXES = {"html": {".svg", ".png"}, "md": {".svg"}, "csv": {".csv"}, "latex": {".tex"}}
_INDEX, _CHAPTER, _TECHNIQUES = "index", "chapter", "techniques"


def render(
    ledgers: Sequence[Ledger],
    out: Path,
    formats: Sequence[str] = DEFAULT_FORMATS,
    parity: ParityMatrix | None = None,
) -> list[Path]:
    """Write the report of all suites in some ledgers.

    The files: the index `<out>/index.html`, the techniques `<out>/techniques.html`, the chapter's
    claims `<out>/chapter.html` (if a suite tests any of them) and a page per suite
    `<out>/<suite>.html`, each one self-contained file; the same pages as Markdown, with the main
    figures; and in `<out>/<suite>/` the figures as SVG, with the HTML pages as PNG too, and the
    tables as CSV and LaTeX.

    Parameters
    ----------
    ledgers
        The runs; `manyseeds.report.reported_suites` says which of them a page shows.
    out
        The folder; created if it does not exist. Files of the same names are replaced; figures and
        tables of an earlier report of a suite that this one does not have are removed.
    formats
        Any of `FORMATS`: pages as "html" and "md", which bring their figures; tables as "csv" and
        "latex".
    parity
        The results of the parity kit, for the page of the techniques.

    Returns
    -------
    list[Path]
        The files in `out` itself: index, techniques, chapter, then the pages by suite.

    Raises
    ------
    RequestError
        No ledgers, or an unknown format.
    RunError
        A ledger is damaged, or `out` cannot be written.
    """
    _check_request(ledgers, formats)
    _prepare(out)
    suites = reported_suites(ledgers)
    names = file_names([_INDEX, _CHAPTER, _TECHNIQUES, *(suite.label for suite in suites)])
    pages, entries = [], []
    for reported, rendered in zip(suites, _suite_files(suites, names, formats), strict=True):
        _write(out, rendered.files)
        _remove_others(out / names[reported.label], rendered.files, formats)
        pages += [out / name for name in rendered.files if "/" not in name]
        entries.append(rendered.entry)
    return _write_over_all(out, _over_all(entries, formats, parity), formats) + pages


def _check_request(ledgers: Sequence[Ledger], formats: Sequence[str]) -> None:
    if not ledgers:
        raise RequestError("nothing to report: there are no runs. Make one with `manyseeds run`.")
    for name in formats:
        if name not in FORMATS:
            raise RequestError(unknown("format", name, FORMATS))


def _write_over_all(out: Path, files: Mapping[str, bytes], formats: Sequence[str]) -> list[Path]:
    """Write the pages over all suites, and remove an earlier chapter that they do not have."""
    _write(out, files)
    for stale in (out / f"{_CHAPTER}.{suffix}" for suffix in formats):
        if stale.name not in files:
            stale.unlink(missing_ok=True)
    return [out / name for name in files]


@dataclass(frozen=True)
class SuiteFiles:
    """One suite's files by their path in the folder, and its line on the index."""

    files: Mapping[str, bytes]
    entry: SuiteEntry


def _suite_files(
    suites: Sequence[ReportedSuite], names: Mapping[str, str], formats: Sequence[str]
) -> Iterator[SuiteFiles]:
    """Yield the files of every suite, made on all cores: most of the time goes into drawing."""
    folders = [names[reported.label] for reported in suites]
    calls = [(*pair, formats) for pair in zip(suites, folders, strict=True)]
    if min(cores(), len(calls)) == 1:
        yield from (render_suite(*call) for call in calls)
    else:
        yield from mapped(f"{__name__}:{render_suite.__name__}", calls, cores())


def render_suite(reported: ReportedSuite, name: str, formats: Sequence[str]) -> SuiteFiles:
    """Return the files of a suite, with `name` as the name of its page and its folder."""
    tables = results(reported)
    metrics = metrics_table(reported.records, reported.suite)
    figures = drawings(reported, tables) if {*formats} & {*_PAGE_FORMATS} else _no_figures(reported)
    frames = tables.tables() | {"metrics": metrics}
    csv = {kind: f"{name}/{kind}.csv" for kind in frames} if "csv" in formats else {}
    view = page(reported, tables, figures, metrics, PageFiles(name, csv))
    files = {path: _csv(frames[kind]) for kind, path in csv.items()}
    drawn = figures.all() if "html" in formats else markdown_figures(view)
    figure_files = _figure_files(drawn, png="html" in formats)
    files |= {f"{name}/{path}": content for path, content in figure_files.items()}
    files |= _pages(name, view, formats)
    return SuiteFiles(files, entry(reported, view, name, uses(tables.summary, reported.suite)))


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
        files[f"{_INDEX}.csv"] = _csv(overview_table(entries))
        files[f"{_TECHNIQUES}.csv"] = _csv(uses_table(all_uses))
        if chapter:
            files[f"{_CHAPTER}.csv"] = _csv(chapter_table(chapter))
    return files


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n", float_format="%.10g").encode()


def _prepare(out: Path) -> None:
    """Create the folder before anything is computed for it."""
    with _explained(out):
        out.mkdir(parents=True, exist_ok=True)


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    with _explained(out):
        for name, content in files.items():
            path = out / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)


def _remove_others(folder: Path, files: Mapping[str, bytes], formats: Sequence[str]) -> None:
    """Remove figures and tables of the formats written that this report does not have."""
    expected = {folder.parent / name for name in files}
    suffixes = {suffix for kind in formats for suffix in _SUFFIXES[kind]}
    with _explained(folder):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix in suffixes and path not in expected:
                path.unlink()


def _explained(out: Path) -> AbstractContextManager[None]:
    """Turn an error of the file system into a `RunError`."""
    return explained("write the report to", out, "choose another --out folder")
