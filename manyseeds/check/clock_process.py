"""The process in which one backend is timed: it gets ready, waits for its turn, and measures.

It reads lines of JSON, the request first, then one for every turn, and answers each with a line.
When whoever started it goes away, it ends.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TextIO

from manyseeds.backend import Backend, backend_entry
from manyseeds.check.workloads import MEMORY, WORKLOADS, Call, prepared
from manyseeds.check.yardstick import Yardstick
from manyseeds.errors import ManyseedsError
from manyseeds.host import COMPILED_VARIABLE, compiled_folder, forget_peak_memory, peak_memory
from manyseeds.settings import Settings

LEAST_SECONDS = 0.015
"""Of a measurement: what is faster is done several times over."""

_WARM_CALLS = 2
_ASIDE = "check-"


@dataclass(frozen=True)
class Timed:
    """A call that is ready: how often one measurement makes it, and what it is measured against."""

    call: Call
    times: int
    yardstick: Yardstick

    def measure(self) -> list[float]:
        """Return the seconds of the yardstick before, of one call, of the yardstick after."""
        before = self.yardstick.seconds()
        started = perf_counter()
        for _ in range(self.times):
            self.call()
        own = (perf_counter() - started) / self.times
        return [before, own, self.yardstick.seconds()]


def main() -> None:
    """Serve one request."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    request = json.loads(sys.stdin.readline())
    with _programs_aside() as keep:
        try:
            backend = backend_entry(request["backend"]).open(Settings(**request["settings"]))
        except ManyseedsError as error:
            _answer(out, refused=str(error))
            return
        threads = backend.describe().threads
        timed, failed = _ready(backend, threads, request["subjects"])
        keep()
        _answer(out, environment=asdict(backend.describe()), failed=failed)
        for _ in sys.stdin:
            _answer(out, **_turn(backend, timed, request))


def _turn(backend: Backend, timed: Mapping[str, Timed], request: Mapping[str, Any]) -> dict[str, Any]:
    """Measure every subject in every round; then what memory it took; then compile."""
    forget_peak_memory()
    rounds: dict[str, list[list[float]]] = {name: [] for name in timed}
    for _ in range(request["rounds"]):
        for name, each in timed.items():
            rounds[name].append(each.measure())
    found: dict[str, Any] = {"rounds": rounds}
    if MEMORY in request["subjects"]:
        found["memory"] = backend.peak_memory() or peak_memory()
    if "compile" in request["subjects"]:
        found["compile"] = _compiling(backend)
    return found


def _ready(
    backend: Backend, threads: int, subjects: list[str]
) -> tuple[dict[str, Timed], dict[str, str]]:
    """Return the subjects that are ready, and why the others cannot be."""
    alone, together = Yardstick(1), Yardstick(threads)
    ready, failed = {}, {}
    for name in subjects:
        workload = WORKLOADS.get(name)
        if workload is None or workload.kind == "compile":
            continue
        try:
            call = prepared(workload, backend)
            for _ in range(_WARM_CALLS):
                call()
            times = max(1, math.ceil(LEAST_SECONDS / _seconds(call)))
            ready[name] = Timed(call, times, alone if workload.lanes == 1 else together)
        except Exception as error:  # the others can be measured
            traceback.print_exc()
            failed[name] = f"{type(error).__name__}: {error}"
    for each in (alone, together):
        each.seconds()
    return ready, failed


def _seconds(call: Call) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started


def _compiling(backend: Backend) -> list[float] | None:
    """Compile a program that is not kept, between two measurements of the yardstick.

    None where the backend compiles nothing.
    """
    alone = Yardstick(1)
    alone.seconds()
    before = alone.seconds()
    earlier = backend.compiled()
    prepared(WORKLOADS["compile"], backend)()
    found = backend.compiled() - earlier
    return [before, found.seconds, alone.seconds()] if found.programs else None


@contextmanager
def _programs_aside() -> Iterator[Any]:
    """Keep programs in a folder of this process, which begins with those kept for everyone.

    Else the program whose compiling is timed would be kept, and the next time loaded. What is
    yielded shares the programs that are there by then.
    """
    kept = compiled_folder()
    if kept is None:
        yield lambda: None
        return
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_ASIDE, dir=kept, ignore_cleanup_errors=True) as aside:
        _share(kept, Path(aside))
        os.environ[COMPILED_VARIABLE] = aside
        yield lambda: _share(Path(aside), kept)


def _share(source: Path, target: Path) -> None:
    """Put a source's files, under links where that can be, where the target has none."""
    for file in source.rglob("*"):
        place = target / file.relative_to(source)
        if file.relative_to(source).parts[0].startswith(_ASIDE) or place.exists():
            continue
        if file.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            _link(file, place)


def _link(file: Path, place: Path) -> None:
    try:
        os.link(file, place)
    except OSError:
        shutil.copyfile(file, place)


def _answer(out: TextIO, **message: Any) -> None:
    out.write(json.dumps(message) + "\n")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
