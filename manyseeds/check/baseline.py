"""The gate's baseline on disk: entries with their checksums, and a log of every acceptance.

    index.json                         the SHA-256 of every entry's file
    numerics/jax/nadam.3f9c….npz       an entry: arrays, and under "context" a JSON text
    log.jsonl                          a line per acceptance: when, why, rows, versions from and to

A file is named after its content, and the index is replaced last, atomically: an acceptance that
is interrupted leaves the old baseline intact.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from manyseeds.check.rows import Layer, Row
from manyseeds.errors import RequestError, RunError
from manyseeds.ledger.atomic_write import append_line, write_atomically

_LOCK_TIMEOUT = 60
"""Seconds to wait for another acceptance: each takes a few."""


@dataclass(frozen=True)
class BaselineEntry:
    """The measurements of one row.

    Attributes
    ----------
    context
        The conditions they were made under, as JSON: "versions" by package, "device", "machine",
        and whatever else the layer needs to decide whether two entries are comparable.
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
        """The versions it was made with, by package."""
        return dict(self.context.get("versions", {}))


class Baseline:
    """A folder of entries."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._checksums = _read_index(folder)

    def rows(self, layer: Layer, backend: str | None = None) -> list[Row]:
        """Return the rows of a layer, of one backend or of all."""
        return [
            row for row in self._checksums if row.layer == layer and backend in (None, row.backend)
        ]

    def entry(self, row: Row) -> BaselineEntry | None:
        """Return the entry of a row; None if there is none.

        Raises
        ------
        RunError
            Its file is damaged or missing.
        """
        if row not in self._checksums:
            return None
        path = self.folder / _file_of(row, self._checksums[row])
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RunError(_damaged(path, f"cannot be read: {error.strerror or error}")) from error
        if hashlib.sha256(content).hexdigest() != self._checksums[row]:
            raise RunError(_damaged(path, "does not match its checksum in the index"))
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        context = json.loads(str(arrays.pop("context")))
        return BaselineEntry(row, context, arrays)

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
            with FileLock(self.folder / ".lock", timeout=_LOCK_TIMEOUT):
                # Another acceptance may have finished since this baseline was opened.
                self._checksums = _read_index(self.folder)
                self._replace(entries, because, dropped)
        except Timeout as error:
            raise RunError(
                f"{self.folder} has been locked for {_LOCK_TIMEOUT} s: is another acceptance "
                "running?"
            ) from error
        except OSError as error:
            raise RunError(f"cannot write {self.folder}: {error.strerror or error}") from error

    def _replace(
        self, entries: Sequence[BaselineEntry], because: str, dropped: Sequence[Row]
    ) -> None:
        line = json.dumps(self._log_record(entries, because, dropped), sort_keys=True)
        checksums = self._checksums | {entry.row: self._write(entry) for entry in entries}
        checksums = {row: checksum for row, checksum in checksums.items() if row not in dropped}
        append_line(self.folder / "log.jsonl", line)
        by_name = dict(sorted((str(row), checksum) for row, checksum in checksums.items()))
        text = json.dumps({"entries": by_name}, indent=1) + "\n"
        write_atomically(self.folder / "index.json", text.encode())
        for row, old in self._checksums.items():
            if checksums.get(row) != old:
                (self.folder / _file_of(row, old)).unlink(missing_ok=True)
        self._checksums = checksums

    def _write(self, entry: BaselineEntry) -> str:
        """Write an entry's file and return its SHA-256."""
        buffer = io.BytesIO()
        context = np.array(json.dumps(entry.context, sort_keys=True))
        np.savez_compressed(buffer, allow_pickle=False, context=context, **entry.arrays)
        content = buffer.getvalue()
        checksum = hashlib.sha256(content).hexdigest()
        path = self.folder / _file_of(entry.row, checksum)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
        return checksum

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
        """Return the versions of the entry to be replaced; None without one, or if damaged."""
        try:
            old = self.entry(row)
        except RunError:
            return None
        return old.versions if old else None


def _read_index(folder: Path) -> dict[Row, str]:
    path = folder / "index.json"
    if not path.exists():
        return {}
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["entries"]
        return {Row.parse(name): checksum for name, checksum in entries.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(_damaged(path, f"cannot be read: {error}")) from error


def _file_of(row: Row, sha256: str) -> Path:
    """Return a row's file, relative to the folder; no name can lead outside it."""
    backend, subject = quote(row.backend, safe=""), quote(row.subject, safe="")
    return Path(row.layer) / backend / f"{subject}.{sha256[:16]}.npz"


def _damaged(path: Path, problem: str) -> str:
    return (
        f"{path} {problem}. Restore it from version control, or make it again with "
        "`manyseeds baseline --accept`."
    )
