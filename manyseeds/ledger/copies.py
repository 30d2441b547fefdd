"""Several runs together: copies of one run are refused, and a damaged run can be left out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from manyseeds.errors import RequestError, RunError, explained
from manyseeds.ledger.files import DamageError
from manyseeds.ledger.ledger import Ledger

_NAMED = 10
"""Runs that an error names; more are left to the reader."""


def without_copies(ledgers: Sequence[Ledger]) -> list[Ledger]:
    """Return the ledgers, each folder once, even if it is named twice or by a link.

    Raises
    ------
    RequestError
        Two folders are of one run; the message names both.
    """
    folders: dict[tuple[int, int], Ledger] = {}
    for ledger in ledgers:
        with explained("read", ledger.folder):
            found = ledger.folder.stat()
        folders.setdefault((found.st_dev, found.st_ino), ledger)
    runs: dict[str, Ledger] = {}
    for ledger in folders.values():
        other = runs.setdefault(ledger.plan.run, ledger)
        if other is not ledger:
            raise RequestError(
                f"{other.folder} and {ledger.folder} are two folders of one run, "
                f"{ledger.plan.run!r}, and its rows would count twice: move the copy to another "
                "folder, or name the runs to use, and not both of these"
            )
    return list(folders.values())


@contextmanager
def others_named(folders: Sequence[Path]) -> Iterator[None]:
    """Add to the error for a damaged run how to go on without it.

    Parameters
    ----------
    folders
        The folders of all runs that were to be read.
    """
    try:
        yield
    except DamageError as error:
        others = [folder for folder in folders if folder not in error.path.parents]
        if not others or len(others) == len(folders):
            raise
        names = shlex.join(folder.name for folder in others[:_NAMED])
        more = " …" if len(others) > _NAMED else ""
        raise RunError(
            f"{error} To go on without this run, name the others: {names}{more}"
        ) from error
