"""The process in which one backend is timed: a request in, a line of JSON each, an answer out.

Seconds are taken twice, of the CPU and of the wall: of the first, a neighbour that takes the core
away is no part. When whoever started the process goes away, it ends.
"""

from __future__ import annotations

import gc
import json
import math
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from manyseeds.backend.discovery import backend_entry
from manyseeds.backend.protocols import Backend
from manyseeds.backend.settings import Settings
from manyseeds.check.timing.workloads import COMPILE, WORKLOADS, Call, compiled_anew, prepared
from manyseeds.check.timing.yardstick import Yardstick
from manyseeds.errors import ManyseedsError
from manyseeds.processes.host import (
    compiled_folder,
    end_with_parent,
    forget_peak_memory,
    mapped_files,
    peak_memory,
)

LEAST_SECONDS = 0.004
"""Of a measurement: what is faster is done several times over."""

PREPARATIONS = 8
"""Of everything that is timed, with a share of the rounds each: where its memory happens to lie
makes it 4 to 9 % slower or faster (standard deviation), and the next time it lies elsewhere."""

COMPILATIONS = 2

_WARM_CALLS = 2
_BESIDE_COMPILING = 9
"""Measurements of the yardstick before, and after, a program is compiled: that takes seconds, and
one of a few milliseconds would be most of the spread."""

Seconds = list[float]
"""Of the CPU, and of the wall."""

Reading = list[Seconds]
"""Of each part of the yardstick before, then of one call, then of each part after."""


@dataclass(frozen=True)
class Timed:
    """A call that is ready, and how often one measurement makes it."""

    call: Call
    times: int

    def read(self) -> Seconds:
        """Measure it once."""
        return _clocked(self.call, self.times)


def main() -> None:
    """Answer one request."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    request = json.loads(sys.stdin.readline())
    end_with_parent()
    try:
        backend = backend_entry(request["backend"]).open(Settings(**request["settings"]))
        answer = _measured(backend, request["subjects"], request["rounds"])
    except ManyseedsError as error:
        answer = {"refused": str(error)}
    out.write(json.dumps(answer) + "\n")


def _measured(backend: Backend, subjects: list[str], rounds: int) -> dict[str, Any]:
    """Read every subject in every round; then what memory that took; then compile."""
    readings: dict[str, list[Reading]] = {name: [] for name in subjects if name in WORKLOADS}
    failed: dict[str, str] = {}
    for number in range(min(PREPARATIONS, rounds)):
        yardstick = Yardstick()
        _measure(yardstick)
        timed, unready = _ready(backend, [name for name in readings if name not in failed])
        failed |= unready
        if number == 0:
            forget_peak_memory()
        for _ in range(number, rounds, PREPARATIONS):  # the first have a round more
            before = _measure(yardstick)
            for name, each in timed.items():
                own, after = each.read(), _measure(yardstick)
                readings[name].append([*before, own, *after])
                before = after
        del timed
        gc.collect()
    memory = backend.peak_memory() or peak_memory() - mapped_files()
    if COMPILE in subjects:
        compiling = [_compiling(backend, yardstick) for _ in range(COMPILATIONS)]
        if found := [reading for reading in compiling if reading]:
            readings[COMPILE] = found
    return {
        "environment": asdict(backend.describe()),
        "readings": {name: read for name, read in readings.items() if name not in failed},
        "memory": memory,
        "failed": failed,
    }


def _ready(backend: Backend, subjects: list[str]) -> tuple[dict[str, Timed], dict[str, str]]:
    """Return the subjects that are ready, and why the others cannot be."""
    ready, failed = {}, {}
    for name in subjects:
        try:
            call = prepared(WORKLOADS[name], backend)
            for _ in range(_WARM_CALLS):
                call()
            seconds = min(_clocked(call)[1] for _ in range(_WARM_CALLS))
            ready[name] = Timed(call, max(1, math.ceil(LEAST_SECONDS / seconds)))
        except Exception as error:  # the others can be measured
            traceback.print_exc()
            failed[name] = f"{type(error).__name__}: {error}"
    return ready, failed


def _compiling(backend: Backend, yardstick: Yardstick) -> Reading | None:
    """Compile a program that is not kept; None where the backend compiles nothing."""
    earlier = backend.compiled().programs

    def often() -> Reading:
        found = [_measure(yardstick) for _ in range(_BESIDE_COMPILING)]
        typical: Reading = np.median(found, axis=0).tolist()
        return typical

    before = often()
    with _nothing_kept():
        call = compiled_anew(backend)
        own = _clocked(call)
    return [*before, own, *often()] if backend.compiled().programs > earlier else None


def _measure(yardstick: Yardstick) -> Reading:
    """Return the seconds of each of its parts."""
    return [_clocked(part) for part in yardstick.parts.values()]


def _clocked(call: Call, times: int = 1) -> Seconds:
    """Return the CPU and the wall seconds of a call."""
    wall, cpu = perf_counter(), process_time()
    for _ in range(times):
        call()
    return [(process_time() - cpu) / times, (perf_counter() - wall) / times]


@contextmanager
def _nothing_kept() -> Iterator[None]:
    """Remove the compiled programs that are kept meanwhile, else they are loaded the next time."""
    folder = compiled_folder()
    before = _files(folder)
    yield
    for file in _files(folder) - before:
        file.unlink(missing_ok=True)


def _files(folder: Path | None) -> set[Path]:
    return {file for file in folder.rglob("*") if file.is_file()} if folder else set()


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
