"""Atomic writing: to a temporary file, which is flushed to disk and renamed.

A file written in this way is complete or absent, even after a power cut.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import IO, Any

_NO_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""Error numbers of file systems that cannot flush a file."""

_LOST = {errno.EIO, errno.ENOSPC, errno.EDQUOT}
"""Error numbers of a folder's flush after which its entries may be lost; others mean that the file
system cannot flush a folder, or opens none."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file and flush it to disk, together with its folder's entry.

    Raises
    ------
    OSError
        The file cannot be written; the previous file at `path`, if any, is unchanged.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            _flush(file)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):  # of a disk that has become read-only
            temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def append_line(path: Path, line: str) -> None:
    """Append a line to a text file, create the file if needed, and flush it to disk.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        _flush(file)


def _flush(file: IO[Any]) -> None:
    """Flush a file's content to disk where its file system can do that."""
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise


def _flush_folder(folder: Path) -> None:
    """Flush a folder's entries to disk where its file system can do that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # the file is in its place all the same
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in _LOST:
            raise
    finally:
        os.close(descriptor)
