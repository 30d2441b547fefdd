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
from threading import Semaphore
from typing import Any

from manyseeds.check.yardstick import ENVIRONMENT
from manyseeds.errors import RequestError
from manyseeds.settings import Settings

PROGRAM = (sys.executable, "-m", "manyseeds.check.clock_process")


@dataclass(frozen=True)
class Answer:
    """What a process found.

    Attributes
    ----------
    environment
        As its backend describes it.
    readings
        By subject, [rounds, 6]: CPU and wall seconds of the yardstick, the subject, the yardstick.
    memory
        The most bytes it had.
    failed
        Why subjects could not be measured.
    """

    environment: Mapping[str, Any] = field(default_factory=dict)
    readings: Mapping[str, list[list[float]]] = field(default_factory=dict)
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
    """Return the answers of so many processes of each backend, one of each at once at most.

    The first of a backend may compile programs, which the others find kept.

    Raises
    ------
    RequestError
        A backend cannot be opened.
    """
    slots = Semaphore(at_once)

    def ask(backend: str) -> list[Answer]:
        request = {
            "backend": backend,
            "settings": asdict(settings),
            "subjects": list(subjects),
            "rounds": rounds,
        }
        found = []
        for _ in range(processes):
            with slots:
                found.append(_answer(request, program))
        return found

    with ThreadPoolExecutor(len(backends)) as pool:
        return dict(zip(backends, pool.map(ask, backends), strict=True))


def _answer(request: Mapping[str, Any], program: Sequence[str]) -> Answer:
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
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            said = process.stdout.read()
            status = process.wait()
        except BaseException:
            process.kill()
            raise
        log.seek(0)
        told = log.read()[-2000:].strip()
    if not said:
        why = f"its process ended with status {status}: {told[-500:]}"
        return Answer(failed=dict.fromkeys(request["subjects"], why))
    found = json.loads(said)
    if "refused" in found:
        raise RequestError(found["refused"])
    return Answer(**found)
