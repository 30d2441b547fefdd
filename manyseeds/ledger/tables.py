"""Parquet tables of a ledger: written in one piece, and read with their checksums verified.

A run has one file per job, for instance `records/00003-01.parquet`, until it is packed; then it has
one file per kind of table, for instance `records.parquet`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from manyseeds.errors import RunError, explained, file_failure
from manyseeds.ledger.atomic_write import write_atomically
from manyseeds.ledger.schemas import SCHEMAS, Kind

REMEDIES: Mapping[Kind, str] = {
    "records": "Delete it and resume the run to train its rows again.",
    "curves": "Delete it: the curves of its rows are lost, their records are not.",
    "diagnostics": "Delete it: the diagnostics of its rows are lost, their records are not.",
}
"""Remedies for a damaged file of one job."""

PACKED_REMEDY = "Restore it from version control or a backup, or train the run again."
"""Remedy for a damaged file of a packed run."""

_PACKED_LEVEL = 12
"""Compression level of zstd for a packed file, which is written once."""


class Tables:
    """The tables in a run's folder; each is read once, and again only if its files have changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._frames: dict[Kind, tuple[list[tuple[str, int, int]], pd.DataFrame]] = {}

    def files(self, kind: Kind) -> list[Path]:
        """Return the files of a kind: the packed file if there is one, else those of the jobs."""
        packed = packed_file(self._folder, kind)
        with explained("read", self._folder):
            return [packed] if packed.exists() else loose_files(self._folder, kind)

    def table(self, kind: Kind) -> pa.Table:
        """Return all rows of a kind, in the order of the jobs."""
        with ThreadPoolExecutor() as pool:
            tables = list(pool.map(lambda path: read_table(path, kind), self.files(kind)))
        return pa.concat_tables([SCHEMAS[kind].empty_table(), *tables], promote_options="default")

    def frame(self, kind: Kind) -> pd.DataFrame:
        """Return all rows of a kind; the frame is cached and must not be changed."""
        files = self.files(kind)
        stamps = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files]
        if kind not in self._frames or self._frames[kind][0] != stamps:
            integers = {pa.int64(): pd.Int64Dtype()}
            self._frames[kind] = stamps, self.table(kind).to_pandas(types_mapper=integers.get)
        return self._frames[kind][1]


def packed_file(folder: Path, kind: Kind) -> Path:
    """Return the path of a kind's file in a packed run."""
    return folder / f"{kind}.parquet"


def loose_files(folder: Path, kind: Kind) -> list[Path]:
    """Return the files of a kind that jobs have written, in the order of the jobs."""
    # Not `glob`: of a folder that may not be read it finds nothing, and the rows would be missing.
    with explained("read", folder / kind), contextlib.suppress(FileNotFoundError):
        return sorted(path for path in (folder / kind).iterdir() if path.match("[!.]*.parquet"))
    return []


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], kind: Kind) -> None:
    """Write a job's rows of a kind to one file."""
    write_table(path, pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMAS[kind]))


def write_table(path: Path, table: pa.Table, *, packed: bool = False) -> None:
    """Write a table to one Parquet file whose pages carry checksums."""
    sink = pa.BufferOutputStream()
    level = _PACKED_LEVEL if packed else None
    pq.write_table(
        table, sink, compression="zstd", compression_level=level, write_page_checksum=True
    )
    write_atomically(path, sink.getvalue().to_pybytes())


def read_table(path: Path, kind: Kind) -> pa.Table:
    """Read one Parquet file of a kind.

    Raises
    ------
    RunError
        The file is damaged, or has columns that its kind does not have; the message says what to
        do.
    """
    try:
        # `pq.read_table` is slower, and adds a column for a folder named like "a=b" in the path.
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        # The checksums do not cover the names and types of columns.
        if stray := [field.name for field in table.schema if field not in list(SCHEMAS[kind])]:
            raise pa.ArrowInvalid(f"unknown columns {', '.join(map(repr, stray))}")
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno:  # the file may be as good as ever
            raise RunError(file_failure("read", path, error)) from error
        remedy = PACKED_REMEDY if path.parent.name != kind else REMEDIES[kind]
        raise RunError(f"{path} is damaged ({error}). {remedy}") from None
    return table
