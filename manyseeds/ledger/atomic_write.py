"""Atomic writing: to a temporary file, which is flushed to disk and renamed.

A file written in this way is complete or absent, even after a power cut.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
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
    _write(path, content, lambda temporary: temporary.replace(path))


def create_atomically(path: Path, content: bytes) -> None:
    """Write a file that must not exist yet, as `write_atomically` does.

    Raises
    ------
    FileExistsError
        There is something of this name; it is unchanged.
    OSError
        The file cannot be written.
    """
    _write(path, content, lambda temporary: _name(temporary, path))


def append_line(path: Path, line: str) -> None:
    """Append a line to a text file, create the file if needed, and flush it to disk.

    If an interruption has left the last line without its end, the new line begins below it.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else f"\n{line}"
        file.write(f"{line}\n".encode())
        _flush(file)


def _flush(file: IO[Any]) -> None:
    """Flush a file's content to disk where its file system can do that."""
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise


def _write(path: Path, content: bytes, name: Callable[[Path], object]) -> None:
    """Write a temporary file, flush it to disk, and have it named."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)  # what an interruption left, or a link out of the folder
        with temporary.open("xb") as file:
            file.write(content)
            _flush(file)
        name(temporary)
    except OSError:
        with contextlib.suppress(OSError):  # of a disk that has become read-only
            temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _name(temporary: Path, path: Path) -> None:
    """Give a temporary file its name, unless there is something of this name."""
    try:
        os.link(temporary, path)  # refuses an existing name, unlike renaming
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        temporary.replace(path)
    else:
        temporary.unlink()


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
