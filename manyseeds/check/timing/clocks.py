"""Starts the workers that time backends, several at once, and collects their measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from threading import Semaphore
from typing import Any

from manyseeds.backend.settings import Settings
from manyseeds.check.timing.yardstick import ENVIRONMENT
from manyseeds.processes.death import WorkerDiedError
from manyseeds.processes.framing import Message
from manyseeds.processes.worker_group import WorkerGroup

PROGRAM = ("manyseeds.check.timing.clock_process",)
"""The worker's module, and its arguments."""


@dataclass(frozen=True)
class Answer:
    """The measurements of one process.

    Attributes
    ----------
    environment
        The device, threads and versions of its backend, as `Backend.describe` returns them.
    readings
        By subject, [rounds, 2 parts + 1, 2]: CPU and wall seconds of the yardstick's parts, the
        subject, the parts again.
    memory
        Its peak memory, in bytes.
    failed
        Reasons why subjects could not be measured, by subject.
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
    """Time subjects on each backend, in `processes` processes of each.

    A backend's first process ends before the others start: it may compile programs, which they
    load.

    Raises
    ------
    ManyseedsError
        A backend cannot be opened.
    """
    slots = Semaphore(at_once)

    def measure(backend: str) -> Answer:
        request = {
            "backend": backend,
            "settings": asdict(settings),
            "subjects": list(subjects),
            "rounds": rounds,
        }
        with slots:
            return _answer(request, program, group)

    def measure_all(backend: str) -> list[Answer]:
        first = measure(backend)
        return [first, *others.map(measure, [backend] * (processes - 1))]

    with (
        ThreadPoolExecutor(len(backends)) as pool,
        ThreadPoolExecutor(max(1, len(backends) * processes)) as others,
        WorkerGroup() as group,  # stopped first: then the pools need not wait
    ):
        return dict(zip(backends, pool.map(measure_all, backends), strict=True))


def _answer(request: Message, program: Sequence[str], group: WorkerGroup) -> Answer:
    """Return the measurements of one process, or why there are none."""
    with group.start(*program, environment=ENVIRONMENT) as worker:
        worker.send(request)
        try:
            return Answer(**worker.receive())
        except WorkerDiedError as error:
            cause = f"its process {error.death.cause}: {error.death.log[-500:]}"
            return Answer(failed=dict.fromkeys(request["subjects"], cause))
