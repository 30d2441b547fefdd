"""Packing of a complete run: one file for each kind of table in place of one per job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from manyseeds.errors import RequestError, RunError, explained
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.schemas import SCHEMAS
from manyseeds.ledger.tables import Tables, loose_files, packed_file, read_table, write_table
from manyseeds.ledger.write_errors import resume_command

DELIVERED = ("ok", "diverged")


def pack(ledger: Ledger) -> tuple[int, int]:
    """Pack a run whose rows are all delivered; return its numbers of files before and after.

    An interruption loses nothing: the packed files are written and read back before the first of
    the others is removed, and packing again continues from there.

    Raises
    ------
    RequestError
        The run is not complete: a resume would add to it.
    RunError
        A file is damaged or cannot be written.
    """
    with ledger.writing():
        statuses = ledger.records()["status"].value_counts()
        if missing := {name: n for name, n in statuses.items() if name not in DELIVERED}:
            counted = ", ".join(f"{count} {name}" for name, count in missing.items())
            raise RequestError(
                f"{ledger.folder} is not complete ({counted}): only a run with nothing left to "
                f"train can be packed. Train the rest with: {resume_command(ledger.folder)}"
            )
        before = len(list(_files(ledger.folder)))
        with explained("pack", ledger.folder):
            _write_packed(ledger.folder)
            _remove_loose(ledger.folder)
    return before, len(list(_files(ledger.folder)))


def _write_packed(folder: Path) -> None:
    tables = Tables(folder)
    for kind in SCHEMAS:
        packed = packed_file(folder, kind)
        if packed.exists() or not loose_files(folder, kind):
            continue
        table: pa.Table = tables.table(kind)
        write_table(packed, table, packed=True)
        if not read_table(packed, kind).equals(table):
            packed.unlink()
            raise RunError(f"{packed} reads back changed after writing; nothing was removed")


def _remove_loose(folder: Path) -> None:
    for kind in SCHEMAS:
        for path in loose_files(folder, kind):
            path.unlink()
        if (folder / kind).is_dir() and not any((folder / kind).iterdir()):
            (folder / kind).rmdir()
    checkpoints = folder / "checkpoints"
    if checkpoints.is_dir() and not any(checkpoints.iterdir()):
        checkpoints.rmdir()


def _files(folder: Path) -> Iterator[Path]:
    for kind in SCHEMAS:
        yield from loose_files(folder, kind)
        if packed_file(folder, kind).exists():
            yield packed_file(folder, kind)
