"""Writes a report: a page per suite, its figures and its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from manyseeds.errors import RequestError, RunError, unknown
from manyseeds.host import cores
from manyseeds.ledger import Ledger
from manyseeds.report.drawings import drawings, file_names
from manyseeds.report.page import html_page, markdown_page, page
from manyseeds.report.results import results
from manyseeds.report.subject import Subject, subjects

FORMATS = ("html", "md")


def render(ledgers: Sequence[Ledger], out: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write the report of all suites in some ledgers.

    For each suite: the page `<out>/<suite>.html` (one file that needs nothing else) and
    `<out>/<suite>.md` (for code hosts, with links to the figures), and in `<out>/<suite>/` the
    figures as SVG and PNG and the tables as CSV.

    Parameters
    ----------
    ledgers
        Runs; which of them a page is about is told in `manyseeds.report.subject`.
    out
        Folder; made if it is not there. Files of the same names are replaced, and figures and
        tables of an earlier report of a suite that this one does not have are removed.
    formats
        Pages to write: "html", "md".

    Returns
    -------
    list[Path]
        The pages, by suite.

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
    found = subjects(ledgers)
    names = file_names([subject.suite.name for subject in found])
    pages = []
    for subject, files in zip(found, _each(found, names, formats), strict=True):
        _write(out, files)
        _remove_others(out / names[subject.suite.name], files)
        pages += [out / name for name in files if "/" not in name]
    return pages


def _each(
    found: Sequence[Subject], names: Mapping[str, str], formats: Sequence[str]
) -> Iterator[dict[str, bytes]]:
    """Yield every suite's files, as they are made by all cores: most of the time is drawing."""
    wanted = [names[subject.suite.name] for subject in found]
    workers = min(cores(), len(found))
    if workers == 1:
        yield from map(_files, found, wanted, repeat(formats))
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(_files, found, wanted, repeat(formats))


def _files(subject: Subject, name: str, formats: Sequence[str]) -> dict[str, bytes]:
    """Return the contents of every file of one suite's report, by its path in the folder."""
    tables = results(subject)
    figures = drawings(subject, tables)
    view = page(subject, tables, figures, name)
    makers = {"html": html_page, "md": markdown_page}
    files = {f"{name}.{kind}": makers[kind](view).encode() for kind in formats}
    for figure in figures.all():
        files[f"{name}/{figure.name}.svg"] = figure.svg
        files[f"{name}/{figure.name}.png"] = figure.png
    for kind, table in tables.tables().items():
        text = table.to_csv(index=False, lineterminator="\n", float_format="%.10g")
        files[f"{name}/{kind}.csv"] = text.encode()
    return files


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


def _remove_others(folder: Path, files: Mapping[str, bytes]) -> None:
    """Remove figures and tables that are not among the files of this report."""
    kept = {folder.parent / name for name in files}
    with _explained(folder):
        for path in sorted(folder.iterdir()):
            if path.suffix in {".svg", ".png", ".csv"} and path not in kept:
                path.unlink()


@contextmanager
def _explained(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write the report to {out}: {error.strerror or error}") from error
