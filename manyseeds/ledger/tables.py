"""Parquet tables of a ledger: written whole, read with their checksums verified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from manyseeds.errors import RunError
from manyseeds.ledger.atomic_write import write_atomically


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Write rows as one Parquet file whose pages carry checksums."""
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    write_atomically(path, sink.getvalue().to_pybytes())


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Read one Parquet file, refusing a damaged one with what to do about it."""
    try:
        # Not `read_table`: it is slower, and a folder "a=b" on the way would add a column.
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        # The names and types of columns have no checksum.
        stray = [field.name for field in table.schema if field not in list(schema)]
        if stray:
            raise pa.ArrowInvalid(f"unknown columns {', '.join(map(repr, stray))}")
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        remedy = {
            "records": "Delete it and resume the run to train its rows again.",
            "curves": "Delete it: its rows' records are kept, their curves are lost.",
            "diagnostics": "Delete it: its rows' records are kept, their diagnostics are lost.",
        }[path.parent.name]
        raise RunError(f"{path} is damaged ({error}). {remedy}") from None
    return table
