"""The gate's baseline on disk: entries with their checksums, and the log of what replaced what.

    index.json                         of every entry, its file's SHA-256
    numerics/jax/nadam.3f9c….npz       an entry: arrays, and under "context" a JSON text
    log.jsonl                          a line an acceptance: when, why, what, versions from and to

A file is named after its content, and the index is replaced last, at once: an acceptance that is
cut off leaves the old baseline whole.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from manyseeds.check.findings import LAYERS, Layer
from manyseeds.errors import RequestError, RunError

FOLDER = Path("results") / "baseline" / "check"

_PATIENCE = 60
"""Seconds to wait for another acceptance: each takes a few."""


@dataclass(frozen=True)
class Entry:
    """What a layer keeps of one subject on one backend.

    Attributes
    ----------
    layer, backend, subject
        As in `Finding`.
    context
        Under which conditions it was made, as JSON has it: "versions" by package, "device",
        "machine", and what else the layer needs to know whether it may compare.
    arrays
        The numbers, by name.
    """

    layer: Layer
    backend: str
    subject: str
    context: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    @property
    def row(self) -> str:
        """Its name, as in `Finding.row`."""
        return f"{self.layer}/{self.backend}/{self.subject}"

    @property
    def versions(self) -> dict[str, str]:
        """The versions it was made with, by package."""
        return dict(self.context.get("versions", {}))


class Baseline:
    """A folder of entries."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sums = _index(folder)

    def rows(self, layer: Layer, backend: str | None = None) -> list[str]:
        """Return the names of a layer's entries."""
        start = f"{layer}/{backend}/" if backend else f"{layer}/"
        return [row for row in self._sums if row.startswith(start)]

    def entry(self, layer: Layer, backend: str, subject: str) -> Entry | None:
        """Return an entry, or None.

        Raises
        ------
        RunError
            Its file is damaged or gone.
        """
        row = f"{layer}/{backend}/{subject}"
        if row not in self._sums:
            return None
        path = self.folder / _place(row, self._sums[row])
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RunError(_damaged(path, f"cannot be read: {error.strerror or error}")) from error
        if hashlib.sha256(content).hexdigest() != self._sums[row]:
            raise RunError(_damaged(path, "is not what the index says"))
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        context = json.loads(str(arrays.pop("context")))
        return Entry(layer, backend, subject, context, arrays)

    def accept(self, entries: Sequence[Entry], because: str, gone: Sequence[str] = ()) -> None:
        """Replace or add entries, drop the rows that are gone, and write into the log why.

        Raises
        ------
        RequestError
            No reason is given.
        RunError
            The folder cannot be written.
        """
        if not because.strip():
            raise RequestError('say why: manyseeds baseline --accept --because "…"')
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock", timeout=_PATIENCE):
                self._sums = _index(self.folder)  # another acceptance may have come in between
                self._replaced(entries, because, gone)
        except Timeout as error:
            told = f"{self.folder} has been locked for {_PATIENCE} s: is another acceptance at it?"
            raise RunError(told) from error
        except OSError as error:
            raise RunError(f"cannot write {self.folder}: {error.strerror or error}") from error

    def _replaced(self, entries: Sequence[Entry], because: str, gone: Sequence[str]) -> None:
        line = json.dumps(self._logged(entries, because, gone), sort_keys=True)
        sums = self._sums | {entry.row: self._written(entry) for entry in entries}
        sums = {row: sum_ for row, sum_ in sums.items() if row not in gone}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(line + "\n")
            log.flush()
            os.fsync(log.fileno())
        text = json.dumps({"entries": dict(sorted(sums.items()))}, indent=1) + "\n"
        _replace(self.folder / "index.json", text.encode())
        for row, old in self._sums.items():
            if sums.get(row) != old:
                (self.folder / _place(row, old)).unlink(missing_ok=True)
        self._sums = sums

    def _written(self, entry: Entry) -> str:
        buffer = io.BytesIO()
        context = np.array(json.dumps(entry.context, sort_keys=True))
        np.savez_compressed(buffer, allow_pickle=False, context=context, **entry.arrays)
        content = buffer.getvalue()
        sum_ = hashlib.sha256(content).hexdigest()
        path = self.folder / _place(entry.row, sum_)
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
        return sum_

    def _logged(
        self, entries: Sequence[Entry], because: str, gone: Sequence[str]
    ) -> dict[str, Any]:
        changes: list[dict[str, Any]] = [{"row": row, "to": None} for row in gone]
        for new in entries:
            before = self._versions(new)
            changes.append({"row": new.row, "from": before, "to": new.versions})
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return {"when": now, "because": because, "changes": changes}

    def _versions(self, new: Entry) -> dict[str, str] | None:
        """Return the versions of the entry that is replaced; None of a damaged one, too."""
        try:
            old = self.entry(new.layer, new.backend, new.subject)
        except RunError:
            return None
        return old.versions if old else None


def _index(folder: Path) -> dict[str, str]:
    path = folder / "index.json"
    if not path.exists():
        return {}
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["entries"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(_damaged(path, f"cannot be read: {error}")) from error
    if not all(row.split("/")[0] in LAYERS for row in entries):
        raise RunError(_damaged(path, "names an unknown layer"))
    return cast(dict[str, str], entries)


def _place(row: str, sha256: str) -> Path:
    """Return the file of a row, below the folder: whatever is in a name stays in the name."""
    layer, backend, subject = row.split("/", 2)
    return Path(layer) / quote(backend, safe="") / f"{quote(subject, safe='')}.{sha256[:16]}.npz"


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _damaged(path: Path, what: str) -> str:
    return (
        f"{path} {what}. Restore it from version control, or make it again with "
        "`manyseeds baseline --accept`."
    )
