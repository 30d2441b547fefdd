"""The runs in a results folder: all of them, or some by name."""

from __future__ import annotations

import contextlib
import stat
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from manyseeds.errors import Notice, RequestError, RunError, explained, unknown
from manyseeds.ledger.copies import others_named, without_copies
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.schemas import SCHEMAS


def ledgers(results: Path) -> list[Ledger]:
    """Return the ledgers of all runs in a results folder, sorted by name.

    A run whose files may not be read, such as a colleague's, is left out, with a `Notice`.

    Raises
    ------
    RequestError
        Two folders are of one run.
    RunError
        The folder cannot be read, or a run in it is damaged.
    """
    readable = []
    folders = list(_run_folders(results))
    with others_named(folders):
        for folder in folders:
            try:
                _check_readable(folder)
            except RunError as error:
                warnings.warn(f"run {folder.name!r} is left out: {error}", Notice, stacklevel=2)
            else:
                readable.append(Ledger.open(folder))
    return without_copies(readable)


def open_run(name: str, results: Path) -> Ledger:
    """Return the ledger of a run.

    Parameters
    ----------
    name
        The run's name in the results folder, or the path of its own folder.
    results
        The results folder.

    Raises
    ------
    RequestError
        There is no such run; the message suggests the nearest name.
    RunError
        The run cannot be read.
    """
    if folder := _folder(name, results):
        return Ledger.open(folder)
    known = [folder.name for folder in _run_folders(results)]
    raise RequestError(f"{results}: {unknown('run', name, known)}")


def chosen_ledgers(names: Sequence[str], results: Path) -> list[Ledger]:
    """Return the ledgers of these runs, each once; of all readable runs if none is named.

    Parameters
    ----------
    names
        Each one a run's name or folder, a suite's name, which stands for all runs of the suite, or
        the start of one run's name.
    results
        The results folder.

    Raises
    ------
    RequestError
        A name fits no run, or is the start of several; the results folder has no runs; or two
        folders are of one run.
    RunError
        A run or the results folder cannot be read.
    """
    named = [ledger for name in names for ledger in _named(name, results)]
    chosen = without_copies(named) if names else ledgers(results)
    if not chosen:
        raise RequestError(
            f"{results} has no runs: make one with `manyseeds run`, or choose another --results "
            "folder"
        )
    return chosen


def _named(name: str, results: Path) -> list[Ledger]:
    if folder := _folder(name, results):
        return [Ledger.open(folder)]
    runs = ledgers(results)
    if of_suite := [run for run in runs if run.plan.suite == name]:
        return of_suite
    starting = [run for run in runs if name and run.folder.name.startswith(name)]
    if len(starting) > 1:
        listed = ", ".join(run.folder.name for run in starting)
        raise RequestError(
            f"{results}: {name!r} is the start of several runs ({listed}): give the whole name of "
            "one, or a suite's name for all of its runs"
        )
    if not starting:
        known = dict.fromkeys([*(run.plan.suite for run in runs), *(r.folder.name for r in runs)])
        raise RequestError(f"{results}: {unknown('run or suite', name, list(known))}")
    return starting


def _folder(name: str, results: Path) -> Path | None:
    """Return the folder of the run of this name, in the results folder or as a path."""
    for folder in (results / name, Path(name)):
        with explained("read", folder):
            is_run = _is_run(folder)
        if is_run:
            return folder
    return None


def _run_folders(results: Path) -> Iterator[Path]:
    """Yield the folders of all runs, sorted by name; one that may not be entered counts as a run.

    `glob` would say nothing of it, and find nothing in a results folder that may not be read.
    """
    with explained("read", results):
        folders = sorted(results.iterdir()) if results.exists() else []
    for folder in folders:
        try:
            if folder.is_dir() and _is_run(folder):
                yield folder
        except OSError:
            yield folder


def _is_run(folder: Path) -> bool:
    return (folder / "plan.json").is_file()


def _check_readable(folder: Path) -> None:
    """Raise a `RunError` if a file of a run may not be read."""
    for place in (folder, *(folder / kind for kind in SCHEMAS)):
        with explained("read", place), contextlib.suppress(FileNotFoundError):  # no such kind
            for file in sorted(place.iterdir()):
                if file.suffix in {".json", ".parquet"} and not file.name.startswith("."):
                    with explained("read", file):
                        if stat.S_ISREG(file.lstat().st_mode):  # opening a pipe would wait
                            file.open("rb").close()
