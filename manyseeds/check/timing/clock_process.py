"""The worker that times one backend.

Everything is timed in CPU seconds and in wall seconds: time lost to a neighbour on the core is in
the latter only.
"""

from __future__ import annotations

import gc
import math
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from manyseeds.backend.compiled_programs import compiled_folder
from manyseeds.backend.discovery import backend_entry
from manyseeds.backend.protocols import Backend
from manyseeds.backend.settings import Settings
from manyseeds.check.timing.workloads import COMPILE, WORKLOADS, Call, compiled_anew, prepared
from manyseeds.check.timing.yardstick import Yardstick
from manyseeds.processes.framing import Message
from manyseeds.processes.host import forget_peak_memory, mapped_files, peak_memory
from manyseeds.processes.serving import Send, serve

LEAST_SECONDS = 0.004
"""The least time a measurement takes: a faster call is repeated."""

PREPARATIONS = 8
"""How often every subject is prepared anew; the preparations share the rounds. The place of its
memory makes a subject 4 to 9 % slower or faster (standard deviation)."""

COMPILATIONS = 2

_WARM_CALLS = 2
_BESIDE_COMPILING = 9
"""Measurements of the yardstick before a program is compiled, and after: compiling takes seconds,
and a single measurement of a few milliseconds would be most of the spread."""

Seconds = list[float]
"""CPU seconds, wall seconds."""

Reading = list[Seconds]
"""The seconds of each part of the yardstick before, of one call, and of each part after."""


@dataclass(frozen=True)
class Timed:
    """A prepared call, and how often one measurement repeats it."""

    call: Call
    times: int

    def read(self) -> Seconds:
        """Return the seconds of one call."""
        return _clocked(self.call, self.times)


def main() -> None:
    """Serve a request."""
    serve(answer)


def answer(request: Message, send: Send) -> None:
    """Open a backend and send its measurements."""
    backend = backend_entry(request["backend"]).open(Settings(**request["settings"]))
    send(_measured(backend, request["subjects"], request["rounds"]))


def _measured(backend: Backend, subjects: list[str], rounds: int) -> dict[str, Any]:
    """Time every subject in every round; then read the peak memory; then time compiling."""
    readings: dict[str, list[Reading]] = {name: [] for name in subjects if name in WORKLOADS}
    failed: dict[str, str] = {}
    for number in range(min(PREPARATIONS, rounds)):
        yardstick = Yardstick()
        _measure(yardstick)
        timed, unready = _ready(backend, [name for name in readings if name not in failed])
        failed |= unready
        if number == 0:
            forget_peak_memory()
        for _ in range(number, rounds, PREPARATIONS):  # the first have one round more
            before = _measure(yardstick)
            for name, call in timed.items():
                own, after = call.read(), _measure(yardstick)
                readings[name].append([*before, own, *after])
                before = after
        del timed
        gc.collect()
    memory = backend.peak_memory() or peak_memory() - mapped_files()
    if COMPILE in subjects:
        compiling = [_compiling(backend, yardstick) for _ in range(COMPILATIONS)]
        if compiled := [reading for reading in compiling if reading]:
            readings[COMPILE] = compiled
    return {
        "environment": asdict(backend.describe()),
        "readings": {name: read for name, read in readings.items() if name not in failed},
        "memory": memory,
        "failed": failed,
    }


def _ready(backend: Backend, subjects: list[str]) -> tuple[dict[str, Timed], dict[str, str]]:
    """Prepare subjects; return those that are ready, and why the others are not."""
    ready, failed = {}, {}
    for name in subjects:
        try:
            call = prepared(WORKLOADS[name], backend)
            for _ in range(_WARM_CALLS):
                call()
            seconds = min(_clocked(call)[1] for _ in range(_WARM_CALLS))
            ready[name] = Timed(call, max(1, math.ceil(LEAST_SECONDS / seconds)))
        except Exception as error:  # the other subjects can be measured
            traceback.print_exc()
            failed[name] = f"{type(error).__name__}: {error}"
    return ready, failed


def _compiling(backend: Backend, yardstick: Yardstick) -> Reading | None:
    """Return the seconds of compiling a program; None if the backend compiles nothing."""
    earlier = backend.compiled().programs

    def typical() -> Reading:
        readings = [_measure(yardstick) for _ in range(_BESIDE_COMPILING)]
        median: Reading = np.median(readings, axis=0).tolist()
        return median

    before = typical()
    with _nothing_kept():
        call = compiled_anew(backend)
        own = _clocked(call)
    return [*before, own, *typical()] if backend.compiled().programs > earlier else None


def _measure(yardstick: Yardstick) -> Reading:
    """Return the seconds of each part of the yardstick."""
    return [_clocked(part) for part in yardstick.parts.values()]


def _clocked(call: Call, times: int = 1) -> Seconds:
    """Return the CPU and wall seconds of a call, as the mean over `times` calls."""
    wall, cpu = perf_counter(), process_time()
    for _ in range(times):
        call()
    return [(process_time() - cpu) / times, (perf_counter() - wall) / times]


@contextmanager
def _nothing_kept() -> Iterator[None]:
    """Remove the programs compiled inside the block: the next call would load them."""
    folder = compiled_folder()
    before = _files(folder)
    yield
    for file in _files(folder) - before:
        file.unlink(missing_ok=True)


def _files(folder: Path | None) -> set[Path]:
    return {file for file in folder.rglob("*") if file.is_file()} if folder else set()


if __name__ == "__main__":
    main()
