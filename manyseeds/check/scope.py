"""The scope of a check or an acceptance: which layers, backends and suites it covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manyseeds.backend.discovery import absence, backend_entries
from manyseeds.check.baseline import Baseline
from manyseeds.check.rows import LAYERS, Layer
from manyseeds.errors import RequestError, unknown


@dataclass(frozen=True)
class CheckRequest:
    """The request of a command line; names that are left out select everything.

    Attributes
    ----------
    baseline
        Folder of the baseline.
    backends, layers, suites
        By name; suites also by file.
    results
        Folder of all results: the gate's own runs go into a folder below it.
    thorough
        Whether to follow all recipes and to time more processes.
    """

    baseline: Path
    backends: Sequence[str] = ()
    layers: Sequence[str] = ()
    suites: Sequence[str] = ()
    results: Path = Path("results")
    thorough: bool = False


@dataclass(frozen=True)
class GateScope:
    """Everything that is to be measured, by name.

    Attributes
    ----------
    backends, layers
        In the order in which they are measured.
    suites
        Suites of the accuracy layer, by name or file; () is the gate's own.
    results
        Folder for the runs of the accuracy layer.
    thorough
        Whether the numerics layer follows every recipe of the parity kit, and the time layer starts
        as many processes as for an acceptance.
    """

    backends: tuple[str, ...]
    layers: tuple[Layer, ...] = LAYERS
    suites: tuple[str, ...] = ()
    results: Path = Path("results") / "check"
    thorough: bool = False


def scope_of(request: CheckRequest, baseline: Baseline) -> GateScope:
    """Return the scope of a request: by default all layers and all installed backends.

    Raises
    ------
    RequestError
        A layer or backend is unknown, or the backend is not installed; or no backend is named and
        the baseline has one that is not installed: its absence would go unnoticed.
    """
    entries = backend_entries()
    for name in request.layers:
        if name not in LAYERS:
            raise RequestError(unknown("layer", name, LAYERS))
    for name in request.backends:
        if name not in entries:
            raise RequestError(unknown("backend", name, entries))
    backends = tuple(dict.fromkeys(request.backends)) or tuple(
        name for name, entry in entries.items() if absence(entry) is None
    )
    known = {row.backend for layer in LAYERS for row in baseline.rows(layer)}
    absent = sorted(known.difference(backends))
    if absent and not request.backends:
        raise RequestError(
            f"the baseline has rows of {', '.join(absent)}, which cannot be used here: install it, "
            "or name the other backends with --backend"
        )
    for name in backends:
        if reason := absence(entries[name]):
            raise RequestError(f"backend {name!r} is not installed: {reason}")
    layers = tuple(layer for layer in LAYERS if not request.layers or layer in request.layers)
    runs = request.results / "check"
    return GateScope(backends, layers, tuple(request.suites), runs, request.thorough)
