"""Writes a report: an index, the techniques, and a page per suite with its figures and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd

from manyseeds.errors import RequestError, RunError, unknown
from manyseeds.ledger.ledger import Ledger
from manyseeds.processes.host import cores
from manyseeds.report.content.metric_tables import metrics_table
from manyseeds.report.figures.suite_figures import SuiteFigures, drawings, file_names
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
from manyseeds.report.pages.suite_page import PageFiles, SuitePage, html_page, markdown_page, page
from manyseeds.report.pages.techniques_page import (
    html_techniques,
    markdown_techniques,
    techniques_page,
    uses,
    uses_table,
)
from manyseeds.report.parity_report import ParityReport
from manyseeds.report.reported_suites import ReportedSuite, reported_suites
from manyseeds.report.result_tables import results

FORMATS = ("html", "md", "csv", "latex")
DEFAULT_FORMATS = ("html", "md", "csv")

_PAGES = ("html", "md")
_SUFFIXES = {"html": {".svg", ".png"}, "md": {".svg", ".png"}, "csv": {".csv"}, "latex": {".tex"}}
_INDEX, _CHAPTER, _TECHNIQUES = "index", "chapter", "techniques"


def render(
    ledgers: Sequence[Ledger],
    out: Path,
    formats: Sequence[str] = DEFAULT_FORMATS,
    parity: ParityReport | None = None,
) -> list[Path]:
    """Write the report of all suites in some ledgers.

    The index page `<out>/index.html`, the techniques `<out>/techniques.html`, the chapter's claims
    `<out>/chapter.html` (if a suite asks any of them) and a page per suite
    `<out>/<suite>.html`, each one file that needs nothing else; the same as Markdown for code
    hosts; in `<out>/<suite>/` the figures as SVG and PNG and the tables as CSV and LaTeX.

    Parameters
    ----------
    ledgers
        Runs; which of them a page is about is told in `manyseeds.report.reported_suites`.
    out
        Folder; made if it is not there. Files of the same names are replaced, and figures and
        tables of an earlier report of a suite that this one does not have are removed.
    formats
        What to write: pages as "html" and "md", which bring figures, tables as "csv" and "latex".
    parity
        What the parity kit found, for the page of the techniques.

    Returns
    -------
    list[Path]
        The files in `out` itself: index, techniques, then the pages by suite.

    Raises
    ------
    RequestError
        No ledgers, or an unknown format.
    RunError
        A ledger is damaged, or `out` cannot be written.
    """
    if not ledgers:
        raise RequestError("nothing to report: there are no runs. Make one with `manyseeds run`.")
    for name in formats:
        if name not in FORMATS:
            raise RequestError(unknown("format", name, FORMATS))
    _prepare(out)
    found = reported_suites(ledgers)
    names = file_names([_INDEX, _CHAPTER, _TECHNIQUES, *(s.label for s in found)])
    pages, entries = [], []
    for subject, made in zip(found, _each(found, names, formats), strict=True):
        _write(out, made.files)
        _remove_others(out / names[subject.label], made.files, formats)
        pages += [out / name for name in made.files if "/" not in name]
        entries.append(made.entry)
    first = _over_all(entries, formats, parity)
    _write(out, first)
    for stale in (out / f"{_CHAPTER}.{kind}" for kind in formats):
        if stale.name not in first:
            stale.unlink(missing_ok=True)
    return [out / name for name in first] + pages


@dataclass(frozen=True)
class _Made:
    """One suite's files by their path in the folder, and its line of the index."""

    files: Mapping[str, bytes]
    entry: SuiteEntry


def _each(
    found: Sequence[ReportedSuite], names: Mapping[str, str], formats: Sequence[str]
) -> Iterator[_Made]:
    """Yield what is made of every suite, by all cores: most of the time is drawing."""
    wanted = [names[subject.label] for subject in found]
    workers = min(cores(), len(found))
    if workers == 1:
        yield from map(_made, found, wanted, repeat(formats))
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(_made, found, wanted, repeat(formats))


def _made(subject: ReportedSuite, name: str, formats: Sequence[str]) -> _Made:
    tables = results(subject)
    metrics = metrics_table(subject.records, subject.suite)
    figures = drawings(subject, tables) if {*formats} & {*_PAGES} else _undrawn(subject)
    frames = tables.tables() | {"metrics": metrics}
    csv = {kind: f"{name}/{kind}.csv" for kind in frames} if "csv" in formats else {}
    view = page(subject, tables, figures, metrics, PageFiles(name, csv))
    files = {path: _csv(frames[kind]) for kind, path in csv.items()}
    files |= {f"{name}/{path}": content for path, content in _drawn(figures).items()}
    files |= _written(name, view, formats)
    return _Made(files, entry(subject, view, name, uses(tables.summary, subject.suite)))


def _undrawn(subject: ReportedSuite) -> SuiteFigures:
    nothing: dict[str, Any] = {field.name: None for field in fields(SuiteFigures)}
    return SuiteFigures(**nothing | {"claims": {claim.name: () for claim in subject.suite.claims}})


def _drawn(figures: SuiteFigures) -> dict[str, bytes]:
    files = {}
    for figure in figures.all():
        files[f"{figure.name}.svg"] = figure.svg
        files[f"{figure.name}.png"] = figure.png
    return files


def _written(name: str, view: SuitePage, formats: Sequence[str]) -> dict[str, bytes]:
    """Return the page and its tables in LaTeX, as far as they are wanted."""
    makers = {
        "html": {f"{name}.html": html_page},
        "md": {f"{name}.md": markdown_page},
        "latex": {f"{name}/summary.tex": summary_tex, f"{name}/claims.tex": claims_tex},
    }
    wanted = [pair for kind in formats for pair in makers.get(kind, {}).items()]
    return {path: maker(view).encode() for path, maker in wanted}


def _over_all(
    entries: Sequence[SuiteEntry], formats: Sequence[str], parity: ParityReport | None
) -> dict[str, bytes]:
    """Return the index, the techniques and, if anything of it is answered, the chapter."""
    found = [use for one in entries for use in one.uses]
    backends = list(dict.fromkeys(backend for one in entries for backend in one.backends))
    csv = "csv" in formats
    told = techniques_page(found, parity, backends, f"{_TECHNIQUES}.csv" if csv else None)
    files: dict[str, bytes] = {}
    chapter = chapter_page(entries, f"{_CHAPTER}.csv" if csv else None)
    for kind in (kind for kind in _PAGES if kind in formats):
        index = overview(entries, kind, f"{_INDEX}.csv" if csv else None, chapter is not None)
        first = html_overview(index) if kind == "html" else markdown_overview(index)
        second = html_techniques(told) if kind == "html" else markdown_techniques(told)
        files |= {f"{_INDEX}.{kind}": first.encode(), f"{_TECHNIQUES}.{kind}": second.encode()}
        if chapter:
            third = html_chapter(chapter) if kind == "html" else markdown_chapter(chapter)
            files[f"{_CHAPTER}.{kind}"] = third.encode()
    if csv:
        files[f"{_INDEX}.csv"] = _csv(overview_table(entries))
        files[f"{_TECHNIQUES}.csv"] = _csv(uses_table(found))
        if chapter:
            files[f"{_CHAPTER}.csv"] = _csv(chapter_table(chapter))
    return files


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n", float_format="%.10g").encode()


def _prepare(out: Path) -> None:
    """Make the folder before anything is computed for it."""
    with _explained(out):
        out.mkdir(parents=True, exist_ok=True)


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    with _explained(out):
        for name, content in files.items():
            path = out / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)


def _remove_others(folder: Path, files: Mapping[str, bytes], formats: Sequence[str]) -> None:
    """Remove figures and tables of the formats written that are not among this report's files."""
    kept = {folder.parent / name for name in files}
    suffixes = {suffix for kind in formats for suffix in _SUFFIXES[kind]}
    with _explained(folder):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix in suffixes and path not in kept:
                path.unlink()


@contextmanager
def _explained(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write the report to {out}: {error.strerror or error}") from error
