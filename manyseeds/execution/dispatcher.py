"""Hands jobs to the backends' workers and handles their answers, in one loop without threads.

The plan says how many backends train at once; each trains one job at a time.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from manyseeds.errors import ManyseedsError
from manyseeds.execution.phase import Progress
from manyseeds.execution.workers import BackendWorker, Workers, log_of
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.plan import Job
from manyseeds.processes.framing import Message
from manyseeds.processes.worker_process import Event

OPENING_SECONDS = 600.0
"""The time a backend has to open."""

OPENINGS = 2
"""How often in a row a backend's worker may be started before it opens."""


class Observer(Protocol):
    """Watches a run: a progress display, or nothing."""

    def opened(self, backend: str, environment: Mapping[str, Any]) -> None:
        """A backend's worker is ready."""

    def started(self, job: Job) -> None:
        """A job starts training."""

    def epoch(self, job: Job, progress: Progress) -> None:
        """A job has finished an epoch."""

    def ended(self, job: Job, statuses: Mapping[str, int], reason: str) -> None:
        """A job's rows are in the ledger: how many have each status, and why some failed."""


@dataclass
class Turn:
    """A job in training.

    Attributes
    ----------
    job, worker
        The job and the worker that trains it.
    deadline
        The time by which the worker must answer, on the monotonic clock.
    """

    job: Job
    worker: BackendWorker
    deadline: float = math.inf


@dataclass
class Track:
    """One backend's progress through its jobs.

    Attributes
    ----------
    backend, jobs
        The backend's name, and the jobs that wait.
    turn
        The job in training.
    openings
        How many workers have been started since the backend last opened.
    broken
        Why the backend cannot be used; its jobs then fail for this reason.
    """

    backend: str
    jobs: deque[Job]
    turn: Turn | None = None
    openings: int = 0
    broken: str = ""


@dataclass
class Dispatcher:
    """Trains jobs on their backends' workers, and ends every job with an outcome.

    Attributes
    ----------
    ledger, workers, observer
        The run, the workers that train it, and the observer that watches it.
    request
        Returns the request that asks a worker to train a job.
    opened
        Called with a backend and its environment before each of its jobs.
    ended
        Called with a job and its outcome: a message "done" or "failed".
    timeout
        Seconds a job may go without finishing an epoch.
    """

    ledger: Ledger
    workers: Workers
    observer: Observer
    request: Callable[[Job], Message]
    opened: Callable[[str, Mapping[str, Any]], None]
    ended: Callable[[Job, Message], None]
    timeout: float | None
    tracks: list[Track] = field(default_factory=list)

    def dispatch(self, jobs: Iterable[Job], beside: int) -> None:
        """Train jobs, on `beside` backends at once.

        Raises
        ------
        ManyseedsError
            The plan's only backend refuses its settings.
        """
        by_backend: dict[str, deque[Job]] = {}
        for job in jobs:
            by_backend.setdefault(job.backend, deque()).append(job)
        self.tracks = [Track(backend, waiting) for backend, waiting in by_backend.items()]
        try:
            while self._fill(beside):
                self._listen()
        except BaseException:
            for track, _ in self._busy():  # their workers are in the middle of a job
                self.workers.stop(track.backend)
            raise

    def _fill(self, beside: int) -> bool:
        """Start jobs until `beside` backends train; return whether any does.

        If `beside` is 1, a backend trains all its jobs before the next one starts. Otherwise the
        backend with the most jobs left goes first, so that all end at about the same time.
        """
        while len(self._busy()) < beside:
            idle = [track for track in self.tracks if track.jobs and not track.turn]
            if not idle:
                break
            self._start(idle[0] if beside == 1 else max(idle, key=lambda track: len(track.jobs)))
        return bool(self._busy())

    def _busy(self) -> list[tuple[Track, Turn]]:
        return [(track, track.turn) for track in self.tracks if track.turn]

    def _start(self, track: Track) -> None:
        job = track.jobs.popleft()
        self.observer.started(job)
        if track.broken:
            self.ended(job, _failed(track.broken))
            return
        self._take_turn(track, job)

    def _take_turn(self, track: Track, job: Job) -> None:
        """Give a job to the backend's worker as soon as that is open."""
        worker = self.workers.at(self.ledger, track.backend)
        track.turn = Turn(job, worker, time.monotonic() + OPENING_SECONDS)
        if worker.environment is None:
            track.openings += 1
        else:
            self._hand(track, track.turn, worker.environment)

    def _hand(self, track: Track, turn: Turn, environment: Mapping[str, Any]) -> None:
        """Send a job to its worker, which is open."""
        self.opened(track.backend, environment)
        turn.worker.send(self.request(turn.job))
        self._extend(turn)

    def _extend(self, turn: Turn) -> None:
        """Give a worker time for another epoch."""
        turn.deadline = math.inf if self.timeout is None else time.monotonic() + self.timeout

    def _listen(self) -> None:
        """Wait for an event, or for the earliest deadline, and handle it."""
        deadline = min(turn.deadline for _, turn in self._busy())
        seconds = None if deadline == math.inf else max(0.0, deadline - time.monotonic())
        try:
            sender, event = self.workers.receive(seconds)
        except TimeoutError:
            for track, turn in self._busy():
                if turn.deadline <= deadline:
                    self._handle_missed_deadline(track, turn)
            return
        for track, turn in self._busy():
            if turn.worker.process is sender:  # else it has been stopped in the meantime
                self._handle(track, turn, event)

    def _handle(self, track: Track, turn: Turn, event: Event) -> None:
        if event is None:
            self._handle_death(track, turn, turn.worker.cause())
        elif isinstance(event, ManyseedsError):
            self._handle_refusal(track, event)
        elif event["type"] == "ready":
            turn.worker.environment = event["environment"]
            track.openings = 0
            self._hand(track, turn, event["environment"])
        elif event["type"] == "epoch":
            fields = {name: event[name] for name in Progress.__dataclass_fields__}
            self.observer.epoch(turn.job, Progress(**fields))
            self._extend(turn)
        else:
            turn.worker.crowded = event["crowded"]
            self._end(track, event)

    def _handle_missed_deadline(self, track: Track, turn: Turn) -> None:
        """Stop a worker that missed its deadline, and end its job."""
        if turn.worker.environment is None:
            track.openings = OPENINGS  # another wait as long would not help
            self._handle_death(track, turn, f"no answer within {OPENING_SECONDS:g} s")
        else:
            self.workers.stop(track.backend)
            reason = f"no epoch ended within {self.timeout:g} s"
            self._end(track, {**_failed(reason), "status": "timed_out"})

    def _handle_death(self, track: Track, turn: Turn, cause: str) -> None:
        """Fail the job of a worker that died.

        If its backend never opened, start another worker; if that does not open either, fail all
        jobs of the backend.
        """
        self.workers.stop(track.backend)
        opened = turn.worker.environment is not None
        if not opened and track.openings < OPENINGS:
            self._take_turn(track, turn.job)
            return
        reason = f"{cause}; see {log_of(self.ledger, track.backend)}"
        if not opened:
            reason = track.broken = f"backend {track.backend!r} did not start: {reason}"
        self._end(track, _failed(reason))

    def _handle_refusal(self, track: Track, error: ManyseedsError) -> None:
        """Fail the jobs of a backend that refuses its settings; the other backends continue."""
        if len(self.ledger.plan.backends()) == 1:
            raise error
        self.workers.stop(track.backend)
        track.broken = str(error)
        self._end(track, _failed(track.broken))

    def _end(self, track: Track, outcome: Message) -> None:
        assert track.turn is not None
        self.ended(track.turn.job, outcome)
        track.turn = None


def _failed(reason: str) -> Message:
    return {"type": "failed", "reason": reason}
