"""The folder of a report: writes and removes its files, and leaves everybody else's alone.

A manifest in the folder lists the files that reports wrote, with their SHA-256. Only files that it
lists are ever removed, and only while they are as they were written. Without a manifest nothing is
removed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from manyseeds.errors import RunError, explained
from manyseeds.ledger.atomic_write import write_atomically

MANIFEST = ".manyseeds-report.json"


@dataclass(frozen=True)
class RenderedReport:
    """A report that has been written.

    Attributes
    ----------
    pages
        The files in the folder itself: index, techniques, chapter, then the pages by suite.
    notes
        A line for each file of somebody else's that was in the way, and was kept.
    """

    pages: tuple[Path, ...]
    notes: tuple[str, ...]


class OutputFolder:
    """The folder of a report.

    Attributes
    ----------
    out
        The folder.
    notes
        What a person should know: a line for each file of theirs that was in the way.
    """

    def __init__(self, out: Path) -> None:
        """Create the folder if there is none, and read its manifest.

        Raises
        ------
        RunError
            The folder cannot be created or read.
        """
        self.out = out
        self.notes: list[str] = []
        with self._explained():
            out.mkdir(parents=True, exist_ok=True)
            self._known = _read(out / MANIFEST)

    def wrote(self, name: str) -> bool:
        """Return whether a report wrote a file of this name, relative to the folder."""
        return name in self._known

    def check(self, names: Iterable[str]) -> None:
        """Refuse files that would lie outside of the folder, before anything is computed for them.

        Raises
        ------
        RunError
            A link leads out of the folder.
        """
        with self._explained():
            for name in names:
                self._check_inside(self.out / name)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files by their names relative to the folder.

        A file in the way that no report wrote, or that was changed since, gets another name.

        Raises
        ------
        RunError
            A file cannot be written, or would lie outside of the folder.
        """
        with self._explained():
            for name, content in files.items():
                path = self.out / name
                self._check_inside(path)
                path.parent.mkdir(exist_ok=True)
                if path.is_symlink() or not self._may_replace(name, content):
                    self._put_aside(path)
                path.write_bytes(content)
                self._known[name] = _digest(content)
            self._save()

    def remove(self, stale: Callable[[str], bool]) -> None:
        """Remove files that reports wrote and whose names are stale.

        One that a person has changed is left as it is.
        """
        with self._explained():
            for name in [name for name in self._known if stale(name)]:
                path = self.out / name
                digest = self._known.pop(name)
                if path.is_symlink() or not path.is_file() or not self._is_inside(path):
                    continue
                if _digest(path.read_bytes()) == digest:
                    path.unlink()
                else:
                    self.notes.append(f"{path} is stale, but was changed by hand: it stays")
            self._save()

    def _may_replace(self, name: str, content: bytes) -> bool:
        path = self.out / name
        if not path.exists():
            return True
        present = path.read_bytes()
        return present == content or _digest(present) == self._known.get(name)

    def _put_aside(self, path: Path) -> None:
        aside, number = path.with_name(f"{path.name}.kept"), 2
        while aside.exists() or aside.is_symlink():
            aside, number = path.with_name(f"{path.name}.kept-{number}"), number + 1
        path.rename(aside)
        self.notes.append(
            f"{path} was not as a report had written it: what was there is now {aside.name}"
        )

    def _check_inside(self, path: Path) -> None:
        if not self._is_inside(path):
            raise RunError(
                f"cannot write the report to {path}: {path.parent} is a link that leads out of "
                f"{self.out}. Remove the link, or choose another folder with --out"
            )

    def _is_inside(self, path: Path) -> bool:
        return path.parent.resolve().is_relative_to(self.out.resolve())

    def _save(self) -> None:
        manifest = self.out / MANIFEST
        text = json.dumps({"files": dict(sorted(self._known.items()))}, indent=1)
        write_atomically(manifest, f"{text}\n".encode())

    def _explained(self) -> AbstractContextManager[None]:
        """Turn an error of the file system into a `RunError`."""
        return explained("write the report to", self.out, "choose another --out folder")


def _read(path: Path) -> dict[str, str]:
    """Return the checksums of the files that reports wrote; none if there is no sound manifest."""
    try:
        known: Any = json.loads(path.read_bytes())["files"]
        entries = [(str(name), str(digest)) for name, digest in known.items()]
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
    return {name: digest for name, digest in entries if _is_plain(name)}


def _is_plain(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and len(path.parts) <= 2


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
