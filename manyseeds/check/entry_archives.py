"""Archives of the gate's baseline: the entries of one layer and backend in one ZIP file.

An archive is named after its content, so that a new one never overwrites the one in use. The same
entries give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from manyseeds.check.rows import Row
from manyseeds.ledger.atomic_write import write_atomically

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every member: the earliest that a ZIP file can hold."""


def group_of(row: Row) -> str:
    """Return the name of the archive's group: layer and backend, safe as a path."""
    return f"{row.layer}/{quote(row.backend, safe='')}"


def write_archive(folder: Path, group: str, contents: Mapping[Row, bytes]) -> str:
    """Write the entries of a group and return the archive's path, relative to the folder.

    Raises
    ------
    OSError
        The archive cannot be written.
    """
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as archive:  # entries are compressed already
        for row in sorted(contents, key=str):
            archive.writestr(ZipInfo(_member(row), _EPOCH), contents[row])
    content = buffer.getvalue()
    name = f"{group}.{hashlib.sha256(content).hexdigest()[:16]}.zip"
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
    return name


def read_member(path: Path, row: Row) -> bytes:
    """Return the content of a row in an archive.

    Raises
    ------
    OSError
        The archive cannot be read.
    ValueError
        It is damaged, or does not hold the row.
    """
    try:
        with ZipFile(path) as archive:
            return archive.read(_member(row))
    except (BadZipFile, KeyError, EOFError, NotImplementedError) as error:
        raise ValueError(str(error)) from error


def _member(row: Row) -> str:
    """Return the name of a row in its archive; no subject can lead outside it."""
    return f"{quote(row.subject, safe='')}.npz"
