"""Packing of a complete run: one file for each kind of table in place of one per job."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from manyseeds.errors import RequestError, RunError, explained
from manyseeds.ledger.files import DamageError, exists, names_in
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.parquet import write_packed
from manyseeds.ledger.schemas import SCHEMAS, Kind
from manyseeds.ledger.tables import packed_file
from manyseeds.ledger.write_errors import resume_command

DELIVERED = ("ok", "diverged")


def pack(ledger: Ledger) -> tuple[int, int]:
    """Pack a run whose rows are all delivered; return its numbers of files before and after.

    An interruption loses nothing: the packed files are written and read back before the first of
    the others is removed, and packing again continues from there. Files that the plan does not name
    stay where they are.

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
        before = _count(ledger)
        with explained("pack", ledger.folder):
            for kind in SCHEMAS:
                ledger.tables.frame(kind)  # checked before anything is removed
                _write_packed(ledger, kind)
            _remove_loose(ledger)
    return before, _count(ledger)


def _write_packed(ledger: Ledger, kind: Kind) -> None:
    """Write the packed file of a kind, unless there is one, and compare it with the others."""
    tables = ledger.tables
    loose, path = tables.loose(kind), packed_file(ledger.folder, kind)
    if not len(loose):
        return
    written = not exists(path)
    if written:
        write_packed(path, loose)
    packed = tables.packed(kind)
    assert packed is not None
    if _of_same_attempts(packed, loose).equals(loose):
        return
    if written:
        path.unlink()
        raise RunError(f"{path} reads back changed after writing; nothing was removed")
    raise DamageError(
        path,
        f"and the files in {ledger.folder / kind} differ, so nothing was removed: they are of two "
        "copies of the run. Move one of them out of the run's folder",
    )


def _of_same_attempts(packed: pa.Table, loose: pa.Table) -> pa.Table:
    """Return the packed rows of the attempts that the other table has rows of."""
    if len(packed) == len(loose):
        return packed
    keys = [pc.binary_join_element_wise(*_texts(table), "-") for table in (packed, loose)]
    return packed.filter(pc.is_in(keys[0], value_set=pc.unique(keys[1])))


def _texts(table: pa.Table) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    return table["job"].cast(pa.string()), table["attempt"].cast(pa.string())


def _remove_loose(ledger: Ledger) -> None:
    for kind in SCHEMAS:
        for file in ledger.tables.job_files(kind):
            file.path.unlink()
    for name in (*SCHEMAS, "checkpoints"):
        folder = ledger.folder / name
        if folder.is_dir() and not folder.is_symlink() and not names_in(folder):
            folder.rmdir()


def _count(ledger: Ledger) -> int:
    """Return how many files the run's tables are in."""
    packed = sum(exists(packed_file(ledger.folder, kind)) for kind in SCHEMAS)
    return packed + sum(len(ledger.tables.job_files(kind)) for kind in SCHEMAS)
