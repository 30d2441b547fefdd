"""Discovery of backends through the entry-point group `manyseeds.backends`.

An entry point names a `BackendEntry`, whose module imports no framework until `open` is called.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points

from manyseeds.backend.protocols import Backend, BackendEntry
from manyseeds.backend.settings import Device
from manyseeds.backend.settings import Settings as Settings  # noqa: PLC0414  (part of the contract)
from manyseeds.errors import RequestError, unknown
from manyseeds.suite.recipe import Recipe

GROUP = "manyseeds.backends"


@dataclass
class BrokenEntry:
    """Stands in for a backend whose entry point cannot be loaded, so that the others still work."""

    name: str
    reason: str
    install: str
    requires: tuple[str, ...] = ()
    quick_compile_flags: Mapping[str, str] = field(default_factory=dict)

    def unsupported(self, recipe: Recipe) -> str | None:
        """Return why the backend can train no recipe."""
        del recipe
        return self.reason

    def free_memory(self, device: Device) -> int | None:
        """Return None: the backend has no accelerator to offer."""
        del device
        return None

    def open(self, settings: Settings) -> Backend:
        """Raise a `RequestError` that says why the entry point cannot be loaded."""
        del settings
        raise RequestError(f"backend {self.name!r} cannot be used: {self.reason}")


def backend_entries() -> dict[str, BackendEntry]:
    """Return every backend that has an entry point, by name, usable or not."""
    points = {point.name: point for point in entry_points(group=GROUP)}
    return {name: _load(points[name]) for name in sorted(points)}


def _load(point: EntryPoint) -> BackendEntry:
    try:
        entry: BackendEntry = point.load()
    except Exception as error:
        reason = f"its entry point {point.value!r} fails with {type(error).__name__}: {error}"
        package = point.dist.name if point.dist else point.value
        return BrokenEntry(point.name, reason, f"pip install --force-reinstall {package}")
    return entry


def absence(entry: BackendEntry) -> str | None:
    """Return why a backend cannot be opened here, with a remedy, or None if it can."""
    remedy = f"install it with: {entry.install}"
    if isinstance(entry, BrokenEntry):
        return f"{entry.reason} ({remedy})"
    missing = [name for name in entry.requires if importlib.util.find_spec(name) is None]
    return f"no module {', '.join(missing)} ({remedy})" if missing else None


def backend_entry(name: str) -> BackendEntry:
    """Return an installed backend by name.

    Raises
    ------
    RequestError
        No backend has this name, or it is not installed; the message says how to install it.
    """
    entries = backend_entries()
    if name not in entries:
        raise RequestError(unknown("backend", name, entries))
    if reason := absence(entries[name]):
        raise RequestError(f"backend {name!r} is not installed: {reason}")
    return entries[name]
