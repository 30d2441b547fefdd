"""Training workers: one per backend, kept from suite to suite so that a framework is imported once.

A worker trains the jobs of one run after another; its output goes to the log of the run that it
trains at the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from manyseeds.backend.settings import Settings
from manyseeds.errors import RunError
from manyseeds.ledger.files import refuse_link
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.plan import Plan
from manyseeds.ledger.write_errors import explained_writes, resume_command
from manyseeds.processes.framing import Message
from manyseeds.processes.limits import with_remedy
from manyseeds.processes.worker_process import Event, Inbox, Worker

_MODULE = "manyseeds.execution.worker"


@dataclass(eq=False)
class BackendWorker:
    """A worker process, and its state as the dispatcher knows it.

    Attributes
    ----------
    process
        The process; its events name it as their sender.
    settings
        The settings its backend is opened with.
    environment
        The environment of its backend; None until the backend is open.
    run
        The folder of the run whose jobs it trains.
    crowded
        Whether it reported that it is running out of memory mappings.
    """

    process: Worker
    settings: Settings = field(default_factory=Settings)
    environment: Mapping[str, Any] | None = None
    run: Path | None = None
    crowded: bool = False

    @classmethod
    def start(cls, plan: Plan, backend: str, log: Path, inbox: Inbox) -> BackendWorker:
        """Start a process that opens a backend."""
        process = Worker.start(_MODULE, log=log, environment=_thread_limits(plan), inbox=inbox)
        worker = cls(process, plan.settings())
        worker.send({"type": "open", "backend": backend, "settings": asdict(worker.settings)})
        return worker

    def fits(self, plan: Plan) -> bool:
        """Return whether it can train a plan's jobs: alive, not crowded, with these settings."""
        return self.process.alive and not self.crowded and self.settings == plan.settings()

    def take_up(self, ledger: Ledger, log: Path) -> None:
        """Send the suite of a run, whose jobs come next."""
        if self.run == ledger.folder:
            return
        plan = ledger.plan
        self.run = ledger.folder
        self.send(
            {
                "type": "suite",
                "suite_text": plan.suite_text,
                "suite_file": plan.suite_file,
                "quick": plan.quick,
                "checkpoints": str(ledger.own_folder("checkpoints")),
                "log": str(log),
            }
        )

    def send(self, message: Message) -> None:
        """Send a request."""
        self.process.send(message)

    def cause(self) -> str:
        """Return, in words, how the process ended, and what to do about it if that is known."""
        death = self.process.death()
        if death.killed:
            return "the worker was killed (by the system, if memory ran out: train fewer --lanes)"
        return with_remedy(f"the worker {death.cause_and_last_words}")


class Workers:
    """The open workers, by backend."""

    def __init__(self) -> None:
        self._open: dict[str, BackendWorker] = {}
        self._inbox = Inbox()

    def close(self) -> None:
        """End all workers."""
        for backend in list(self._open):
            self.stop(backend)

    def at(self, ledger: Ledger, backend: str) -> BackendWorker:
        """Return a backend's worker for a run: the open one if it fits, else a new one.

        A new worker reports later that it is ready.
        """
        log = log_of(ledger, backend)
        ledger.own_folder("logs")
        refuse_link(log)
        worker = self._open.get(backend)
        if worker and not worker.fits(ledger.plan):
            self.stop(backend)
            worker = None
        with explained_writes(ledger.folder):
            if worker is None:
                worker = self._open[backend] = self._started(ledger, backend, log)
        worker.take_up(ledger, log)
        return worker

    def _started(self, ledger: Ledger, backend: str, log: Path) -> BackendWorker:
        try:
            return BackendWorker.start(ledger.plan, backend, log, self._inbox)
        except RunError as error:
            raise RunError(
                f"{error}. Then continue with: {resume_command(ledger.folder)}"
            ) from error

    def stop(self, backend: str) -> None:
        """End a backend's worker, if it has one."""
        worker = self._open.pop(backend, None)
        if worker is not None:
            worker.process.stop()

    def receive(self, timeout: float | None) -> tuple[Worker, Event]:
        """Return the next event and its sender, which may have been stopped since.

        Raises
        ------
        TimeoutError
            No event came within `timeout` seconds.
        """
        return self._inbox.receive(timeout)


def log_of(ledger: Ledger, backend: str) -> Path:
    """Return the log file of a backend's worker."""
    return ledger.folder / "logs" / f"{backend}.log"


def _thread_limits(plan: Plan) -> dict[str, str]:
    if plan.threads is None:
        return {}
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return dict.fromkeys(names, str(plan.threads))
