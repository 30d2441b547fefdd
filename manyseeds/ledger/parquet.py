"""Parquet files of a ledger: written in one piece, and read with their checksums verified.

A file is opened by us and not by Arrow, so that an error of the system is not taken for damage. Its
size, its columns and its number of rows are checked before memory is taken for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from manyseeds.errors import RunError
from manyseeds.ledger.atomic_write import create_atomically, write_atomically
from manyseeds.ledger.files import DamageError, read_file
from manyseeds.ledger.schemas import METRICS, SCHEMAS, SECONDS, Kind

_PACKED_LEVEL = 12
"""Compression level of zstd for a packed file, which is written once."""

_BYTES = 16 * 2**20
_BYTES_OF_ROW = 4096
"""The most bytes of a file: so many, and so many more for each row; long reasons included."""


def write_rows(
    path: Path, rows: Sequence[Mapping[str, Any]], kind: Kind, *, once: bool = False
) -> None:
    """Write a job's rows of a kind to one file.

    Raises
    ------
    FileExistsError
        `once` is true and there is such a file; it is unchanged.
    """
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMAS[kind])
    (create_atomically if once else write_atomically)(path, _encoded(table, None))


def write_packed(path: Path, table: pa.Table) -> None:
    """Write all rows of a kind to one file."""
    write_atomically(path, _encoded(table, _PACKED_LEVEL))


def _encoded(table: pa.Table, level: int | None) -> bytes:
    """Return a table as a Parquet file whose pages carry checksums."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table, sink, compression="zstd", compression_level=level, write_page_checksum=True
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def read_table(path: Path, kind: Kind, most: int, remedy: str) -> pa.Table:
    """Read one Parquet file of a kind, and return it with all columns of its kind.

    Parameters
    ----------
    most
        The most rows that the plan promises of such a file.
    remedy
        The advice in the error, if the file is damaged.

    Raises
    ------
    DamageError
        The file is damaged, has more rows or other columns than its kind can have, or a number that
        is not finite.
    RunError
        The system does not let us read the file.
    """
    bytes_allowed = _BYTES + _BYTES_OF_ROW * most
    content = read_file(path, bytes_allowed)
    try:
        # `pq.read_table` is slower, and adds a column for a folder named like "a=b" in the path.
        with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
            _check_size(file.metadata, most, bytes_allowed)
            _check_columns(file.schema_arrow, kind)  # the checksums do not cover names and types
            table = file.read(use_threads=False)
        table.validate(full=True)
        whole = pa.concat_tables([SCHEMAS[kind].empty_table(), table], promote_options="default")
        _check_numbers(whole, kind)
    except MemoryError:
        raise RunError(f"{path} cannot be read: there is too little memory. Free some.") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DamageError(path, f"is damaged ({_one_line(error)}). {remedy}") from None
    return whole.replace_schema_metadata(None)


def _check_size(metadata: pq.FileMetaData, most: int, bytes_allowed: int) -> None:
    # Not by column: in a damaged file a column's metadata can end the process.
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
    if rows > most:
        raise ValueError(f"{rows:,} rows, where the plan promises {most:,} at most")
    size = sum(group.total_byte_size for group in groups)
    if size > bytes_allowed:
        raise ValueError(f"{size:,} bytes unpacked, where {bytes_allowed:,} are the most")


def _check_columns(schema: pa.Schema, kind: Kind) -> None:
    known = {field.name: field.type for field in SCHEMAS[kind]}
    if stray := [field.name for field in schema if field.name not in known]:
        raise ValueError(f"unknown columns {', '.join(map(repr, stray))}")
    if len(set(schema.names)) < len(schema.names):
        raise ValueError("two columns of one name")
    for field in schema:
        if field.type != known[field.name]:
            raise ValueError(f"column {field.name!r} is {field.type}: expected {known[field.name]}")
    # Such columns have been added since the first runs; they read as having no values.
    if absent := [n for n in known if n not in {*schema.names, *METRICS, *SECONDS, "session"}]:
        raise ValueError(f"no column {absent[0]!r}")


def _check_numbers(table: pa.Table, kind: Kind) -> None:
    for field in SCHEMAS[kind]:
        if pa.types.is_floating(field.type):
            row = pc.index(pc.is_finite(table[field.name]), value=False).as_py()
            if row >= 0:
                value = table[field.name][row].as_py()
                raise ValueError(f"row {row + 1}, {field.name}: {value}: expected a finite number")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]
