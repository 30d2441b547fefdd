"""Removes compiled programs that were cut short: TensorFlow would fail on them in later runs.

TensorFlow keeps each program as a message of Protocol Buffers, a sequence of fields. Most of them
begin with their length, so that a file that ends too soon can be told without TensorFlow.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO


def remove_damaged(folder: Path) -> None:
    """Remove the programs in a folder that are empty or cut short; they are compiled again."""
    for path in folder.glob("*.pb"):
        with contextlib.suppress(OSError):  # another process may have removed it
            if not is_whole(path):
                path.unlink()


def is_whole(path: Path) -> bool:
    """Return whether a file is a sequence of whole fields, and not empty."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            while file.tell() < size:
                _skip_field(file)
        except ValueError:
            return False
        return size > 0 and file.tell() == size


def _skip_field(file: BinaryIO) -> None:
    """Skip a field, as https://protobuf.dev/programming-guides/encoding describes it."""
    tag = _varint(file)
    if tag >> 3 == 0:
        raise ValueError("no field has the number 0")
    match tag & 7:
        case 0:  # a number
            _varint(file)
        case 1:  # eight bytes
            file.seek(8, os.SEEK_CUR)
        case 2:  # a length, and as many bytes
            file.seek(_varint(file), os.SEEK_CUR)
        case 5:  # four bytes
            file.seek(4, os.SEEK_CUR)
        case kind:
            raise ValueError(f"no field is of kind {kind}")


def _varint(file: BinaryIO) -> int:
    """Read a number: seven bits in each byte, the lowest first, the last below 128."""
    number = 0
    for place in range(10):
        byte = file.read(1)
        if not byte:
            break
        number |= (byte[0] & 0x7F) << 7 * place
        if byte[0] < 0x80:
            return number
    raise ValueError("the file ends in a number")
