"""The gate's baseline on disk: entries with their checksums, and a log of every acceptance.

    index.json                 the archive of each layer and backend; the SHA-256 of every entry
    numerics/jax.3f9c….zip     entries, as .npz: arrays, and under "context" a JSON text
    log.jsonl                  a line per acceptance: when, why, rows, versions from and to

An archive is named after its content, and the index is replaced last, atomically: an acceptance
that is interrupted leaves the old baseline intact.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import Timeout
from numpy.typing import NDArray

from manyseeds.check.entry_archives import group_of, read_member, write_archive
from manyseeds.check.rows import Layer, Row
from manyseeds.errors import RequestError, RunError, explained, file_failure
from manyseeds.ledger.atomic_write import append_line, write_atomically
from manyseeds.ledger.locking import locked

_LOCK_TIMEOUT = 60
"""Seconds to wait for another acceptance: each takes a few."""

_ELSEWHERE = "choose another --baseline folder"


@dataclass(frozen=True)
class BaselineEntry:
    """The measurements of one row.

    Attributes
    ----------
    context
        The conditions of the measurements, as JSON: "versions" by package, "device", "machine", and
        others that the layer needs to decide whether two entries are comparable.
    arrays
        The numbers, by name.
    """

    row: Row
    context: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    @property
    def backend(self) -> str:
        """The backend of the row."""
        return self.row.backend

    @property
    def subject(self) -> str:
        """The subject of the row."""
        return self.row.subject

    @property
    def versions(self) -> dict[str, str]:
        """The versions that the entry was made with, by package."""
        return dict(self.context.get("versions", {}))


class Baseline:
    """A folder of entries."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index = _read_index(folder)

    def rows(self, layer: Layer, backend: str | None = None) -> list[Row]:
        """Return the rows of a layer, of one backend or of all."""
        return [
            row
            for row in self._index.checksums
            if row.layer == layer and backend in (None, row.backend)
        ]

    def entry(self, row: Row) -> BaselineEntry | None:
        """Return the entry of a row; None if there is none.

        Raises
        ------
        RunError
            The archive of the entry is damaged or missing.
        """
        content = self._content(row)
        if content is None:
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        context = json.loads(str(arrays.pop("context")))
        return BaselineEntry(row, context, arrays)

    def _content(self, row: Row) -> bytes | None:
        """Return the checked content of a row's entry; None if there is none."""
        checksum = self._index.checksums.get(row)
        if checksum is None:
            return None
        path = self.folder / self._index.archives[group_of(row)]
        try:
            content = read_member(path, row)
        except FileNotFoundError as error:
            raise RunError(_damaged(path, "cannot be read: it is not there")) from error
        except OSError as error:
            raise RunError(file_failure("read", path, error)) from error
        except ValueError as error:
            raise RunError(_damaged(path, f"is damaged at {row}: {error}")) from error
        if hashlib.sha256(content).hexdigest() != checksum:
            raise RunError(_damaged(path, f"does not match the index's checksum of {row}"))
        return content

    def accept(
        self, entries: Sequence[BaselineEntry], because: str, dropped: Sequence[Row] = ()
    ) -> None:
        """Add or replace entries, drop rows, and log the reason.

        Raises
        ------
        RequestError
            No reason is given.
        RunError
            The folder cannot be written.
        """
        if not because.strip():
            raise RequestError('give a reason: manyseeds baseline --accept --because "…"')
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with locked(self.folder, _LOCK_TIMEOUT) as lock_file:
                try:
                    # Another acceptance may have finished since this baseline was opened.
                    self._index = _read_index(self.folder)
                    self._replace(entries, because, dropped)
                finally:
                    # While it is held: whoever waits for a removed file starts again.
                    with suppress(OSError):
                        lock_file.unlink()
        except Timeout as error:
            raise RunError(
                f"{self.folder} has been locked for {_LOCK_TIMEOUT} s: is another acceptance "
                "running?"
            ) from error
        except OSError as error:
            raise RunError(file_failure("write", self.folder, error, _ELSEWHERE)) from error

    def _replace(
        self, entries: Sequence[BaselineEntry], because: str, dropped: Sequence[Row]
    ) -> None:
        line = json.dumps(self._log_record(entries, because, dropped), sort_keys=True)
        new = {entry.row: _content_of(entry) for entry in entries}
        archives, checksums = dict(self._index.archives), dict(self._index.checksums)
        for group in sorted({group_of(row) for row in (*new, *dropped)}):
            contents = self._unchanged(group, {*new, *dropped})
            contents |= {row: content for row, content in new.items() if group_of(row) == group}
            checksums = {row: c for row, c in checksums.items() if group_of(row) != group}
            checksums |= {row: hashlib.sha256(c).hexdigest() for row, c in contents.items()}
            archives.pop(group, None)
            if contents:
                archives[group] = write_archive(self.folder, group, contents)
        append_line(self.folder / "log.jsonl", line)
        index = _Index(archives, checksums)
        write_atomically(self.folder / "index.json", index.text().encode())
        for name in {*self._index.archives.values()} - {*archives.values()}:
            (self.folder / name).unlink(missing_ok=True)
        self._index = index

    def _unchanged(self, group: str, changed: Collection[Row]) -> dict[Row, bytes]:
        """Return the contents of a group's rows that are not among the changed ones."""
        rows = [row for row in self._index.checksums if group_of(row) == group]
        contents = {row: self._content(row) for row in rows if row not in changed}
        return {row: content for row, content in contents.items() if content is not None}

    def _log_record(
        self, entries: Sequence[BaselineEntry], because: str, dropped: Sequence[Row]
    ) -> dict[str, Any]:
        changes: list[dict[str, Any]] = [{"row": str(row), "to": None} for row in dropped]
        changes += [
            {"row": str(new.row), "from": self._versions(new.row), "to": new.versions}
            for new in entries
        ]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return {"when": now, "because": because, "changes": changes}

    def _versions(self, row: Row) -> dict[str, str] | None:
        """Return the versions of the entry to be replaced; None if it is absent or damaged."""
        try:
            old = self.entry(row)
        except RunError:
            return None
        return old.versions if old else None


@dataclass(frozen=True)
class _Index:
    """The index: each group's archive, and each row's SHA-256."""

    archives: Mapping[str, str]
    checksums: Mapping[Row, str]

    def text(self) -> str:
        """Return the text of index.json."""
        by_name = dict(sorted((str(row), checksum) for row, checksum in self.checksums.items()))
        document = {"archives": dict(sorted(self.archives.items())), "entries": by_name}
        return json.dumps(document, indent=1) + "\n"


def _read_index(folder: Path) -> _Index:
    path = folder / "index.json"
    if not path.exists():
        return _Index({}, {})
    try:
        with explained("read", path):
            text = path.read_text(encoding="utf-8")
        document = json.loads(text)
        entries, archives = document["entries"], dict(document["archives"])
        checksums = {Row.parse(name): checksum for name, checksum in entries.items()}
        if missing := {group_of(row) for row in checksums} - set(archives):
            raise ValueError(f"no archive of {', '.join(sorted(missing))}")
        if stray := [name for name in archives.values() if not _is_inside(folder, name)]:
            raise ValueError(f"{stray[0]!r} leads out of the folder")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(_damaged(path, f"cannot be read: {error}")) from error
    return _Index(archives, checksums)


def _is_inside(folder: Path, name: str) -> bool:
    return (folder / name).resolve().is_relative_to(folder.resolve())


def _content_of(entry: BaselineEntry) -> bytes:
    """Return an entry as the bytes of an .npz file."""
    buffer = io.BytesIO()
    context = np.array(json.dumps(entry.context, sort_keys=True))
    np.savez_compressed(buffer, allow_pickle=False, context=context, **entry.arrays)
    return buffer.getvalue()


def _damaged(path: Path, problem: str) -> str:
    return (
        f"{path} {problem}. Restore it from version control, or make it again with "
        "`manyseeds baseline --accept`."
    )
