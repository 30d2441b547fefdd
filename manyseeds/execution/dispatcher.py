"""Hands jobs to the backends' processes, and hears what becomes of them: one loop, no threads.

Of the backends so many train at once as the plan says; each trains a job at a time.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from manyseeds.errors import RequestError
from manyseeds.execution.phase import Progress
from manyseeds.execution.workers import Message, Process, Workers, log_of
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.plan import Job

OPENING_SECONDS = 600.0
"""How long a backend may take to open."""


class Observer(Protocol):
    """Who watches a run: the progress display, or nobody."""

    def opened(self, backend: str, environment: Mapping[str, Any]) -> None:
        """A backend's process is ready."""

    def started(self, job: Job) -> None:
        """A job's training starts."""

    def epoch(self, job: Job, progress: Progress) -> None:
        """An epoch of the job has ended."""

    def ended(self, job: Job, statuses: Mapping[str, int], reason: str) -> None:
        """The job's rows are in the ledger: how many have which status, and a reason."""


@dataclass
class Turn:
    """A job that is on.

    Attributes
    ----------
    job, worker
        What is trained, and by which process.
    until
        When patience with the process ends, on the monotonic clock.
    """

    job: Job
    worker: Process
    until: float = math.inf


@dataclass
class Track:
    """One backend's way through its jobs.

    Attributes
    ----------
    backend, jobs
        Those that wait.
    turn
        The one that is on.
    broken
        Why the backend cannot be had; then its jobs fail for this reason.
    """

    backend: str
    jobs: deque[Job]
    turn: Turn | None = None
    broken: str = ""


@dataclass
class Dispatcher:
    """Sees to it that every job comes to an end.

    Attributes
    ----------
    ledger, workers, observer
        Whose jobs they are, who trains them, and who is told.
    request
        Returns what a worker is sent to train a job.
    opened
        Called with a backend and what it runs on whenever it is about to train.
    ended
        Called with a job and its outcome: a message "done" or "failed".
    timeout
        Seconds a job may go without ending an epoch.
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
        """Have jobs trained, by so many backends at once.

        Raises
        ------
        RequestError
            The plan's only backend refuses its settings.
        """
        by_backend: dict[str, deque[Job]] = {}
        for job in jobs:
            by_backend.setdefault(job.backend, deque()).append(job)
        self.tracks = [Track(backend, waiting) for backend, waiting in by_backend.items()]
        try:
            while self._filled(beside):
                self._listen()
        except BaseException:
            for track, _ in self._busy():  # in the middle of a job
                self.workers.stop(track.backend)
            raise

    def _filled(self, beside: int) -> bool:
        """Start jobs while there is room; return whether any is on.

        One backend after the other trains all its jobs; of several at once those go first that
        have most left, so that all end together.
        """
        while len(self._busy()) < beside:
            idle = [track for track in self.tracks if track.jobs and not track.turn]
            if not idle:
                break
            self._start(idle[0] if beside == 1 else max(idle, key=lambda each: len(each.jobs)))
        return bool(self._busy())

    def _busy(self) -> list[tuple[Track, Turn]]:
        return [(track, track.turn) for track in self.tracks if track.turn]

    def _start(self, track: Track) -> None:
        job = track.jobs.popleft()
        self.observer.started(job)
        if track.broken:
            self.ended(job, _failed(track.broken))
            return
        worker = self.workers.at(self.ledger, track.backend)
        track.turn = Turn(job, worker, time.monotonic() + OPENING_SECONDS)
        if worker.environment is not None:
            self._hand(track, track.turn, worker.environment)

    def _hand(self, track: Track, turn: Turn, environment: Mapping[str, Any]) -> None:
        """Send a job to its process, which is open."""
        self.opened(track.backend, environment)
        turn.worker.send(self.request(turn.job))
        self._be_patient(turn)

    def _be_patient(self, turn: Turn) -> None:
        turn.until = math.inf if self.timeout is None else time.monotonic() + self.timeout

    def _listen(self) -> None:
        """Wait for a message, or for the end of somebody's time."""
        until = min(turn.until for _, turn in self._busy())
        seconds = None if until == math.inf else max(0.0, until - time.monotonic())
        try:
            worker, message = self.workers.receive(seconds)
        except TimeoutError:
            for track, turn in self._busy():
                if turn.until <= until:
                    self._late(track, turn)
            return
        for track, turn in self._busy():
            if turn.worker is worker:  # else it has been stopped meanwhile
                self._heard(track, turn, message)

    def _heard(self, track: Track, turn: Turn, message: Message | None) -> None:
        if message is None:
            self._give_up(track, turn, turn.worker.cause())
        elif message["type"] == "ready":
            turn.worker.environment = message["environment"]
            self._hand(track, turn, message["environment"])
        elif message["type"] == "refused":
            self._refused(track, message["reason"])
        elif message["type"] == "epoch":
            fields = {name: message[name] for name in Progress.__dataclass_fields__}
            self.observer.epoch(turn.job, Progress(**fields))
            self._be_patient(turn)
        else:
            turn.worker.crowded = message["crowded"]
            self._end(track, message)

    def _late(self, track: Track, turn: Turn) -> None:
        """Give up a process that lets wait."""
        if turn.worker.environment is None:
            self._give_up(track, turn, f"no answer within {OPENING_SECONDS:g} s")
        else:
            self.workers.stop(track.backend)
            reason = f"no epoch ended within {self.timeout:g} s"
            self._end(track, {**_failed(reason), "status": "timed_out"})

    def _give_up(self, track: Track, turn: Turn, cause: str) -> None:
        """Fail a job, and with it all of a backend that did not even start."""
        self.workers.stop(track.backend)
        reason = f"{cause}; see {log_of(self.ledger, track.backend)}"
        if turn.worker.environment is None:
            reason = track.broken = f"backend {track.backend!r} did not start: {reason}"
        self._end(track, _failed(reason))

    def _refused(self, track: Track, reason: str) -> None:
        """Fail the jobs of a backend that refuses its settings: the others' are still wanted."""
        if len(self.ledger.plan.backends()) == 1:
            raise RequestError(reason)
        self.workers.stop(track.backend)
        track.broken = reason
        self._end(track, _failed(reason))

    def _end(self, track: Track, outcome: Message) -> None:
        assert track.turn is not None
        self.ended(track.turn.job, outcome)
        track.turn = None


def _failed(reason: str) -> Message:
    return {"type": "failed", "reason": reason}
