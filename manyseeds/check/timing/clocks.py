"""Starts the processes that time backends, as many at once as may be, and gathers their answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from threading import Lock, Semaphore
from typing import Any

from manyseeds.backend.settings import Settings
from manyseeds.check.timing.yardstick import ENVIRONMENT
from manyseeds.errors import RequestError

PROGRAM = (sys.executable, "-m", "manyseeds.check.timing.clock_process")


@dataclass(frozen=True)
class Answer:
    """What a process found.

    Attributes
    ----------
    environment
        As its backend describes it.
    readings
        By subject, [rounds, 2 parts + 1, 2]: CPU and wall seconds of the yardstick's parts, the
        subject, the parts again.
    memory
        The most bytes it had.
    failed
        Why subjects could not be measured.
    """

    environment: Mapping[str, Any] = field(default_factory=dict)
    readings: Mapping[str, list[list[list[float]]]] = field(default_factory=dict)
    memory: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)


def answers(
    backends: Sequence[str],
    subjects: Sequence[str],
    settings: Settings,
    processes: int,
    rounds: int,
    at_once: int,
    program: Sequence[str] = PROGRAM,
) -> dict[str, list[Answer]]:
    """Return the answers of so many processes of each backend.

    The first of a backend is there before the others start: it may compile programs, which they
    find kept.

    Raises
    ------
    RequestError
        A backend cannot be opened.
    """
    slots, running = Semaphore(at_once), _Running()

    def ask(backend: str) -> Answer:
        request = {
            "backend": backend,
            "settings": asdict(settings),
            "subjects": list(subjects),
            "rounds": rounds,
        }
        with slots:
            return _answer(request, program, running)

    def ask_all(backend: str) -> list[Answer]:
        first = ask(backend)
        return [first, *others.map(ask, [backend] * (processes - 1))]

    with (
        ThreadPoolExecutor(len(backends)) as pool,
        ThreadPoolExecutor(max(1, len(backends) * processes)) as others,
    ):
        try:
            return dict(zip(backends, pool.map(ask_all, backends), strict=True))
        except BaseException:
            running.stop()
            raise


class _Running:
    """The processes at work, which are no more to be waited for once they are stopped."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []
        self._lock = Lock()
        self._stopped = False

    def add(self, process: subprocess.Popen[str]) -> None:
        """Note a process; if all are stopped, so is this one."""
        with self._lock:
            self._processes.append(process)
            if self._stopped:
                process.kill()

    def stop(self) -> None:
        """Kill all, and whatever is added."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.kill()


def _answer(request: Mapping[str, Any], program: Sequence[str], running: _Running) -> Answer:
    """Return what one process answers; its standard input stays open for as long as we live."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as log,
        subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **ENVIRONMENT},
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        running.add(process)
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            said = process.stdout.read()
        except BrokenPipeError:  # it ended before it was asked
            said = ""
        status = process.wait()
        log.seek(0)
        told = log.read()[-2000:].strip()
    if not said:
        why = f"its process ended with status {status}: {told[-500:]}"
        return Answer(failed=dict.fromkeys(request["subjects"], why))
    found = json.loads(said)
    if "refused" in found:
        raise RequestError(found["refused"])
    return Answer(**found)
