"""Worker processes: one per backend, kept from suite to suite so that a framework is imported once.

A process trains one run's jobs after the other's; what it logs goes to the run it is at work on.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from manyseeds.backend.settings import Settings
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.plan import Plan

Message = dict[str, Any]
Inbox = SimpleQueue[tuple["Process", Message | None]]
_STOPPING_SECONDS = 10.0


@dataclass(eq=False)
class Process:
    """A worker process. Its messages go to an inbox; None marks the end of them.

    Attributes
    ----------
    inbox
        Of all processes: every message with the process that sent it.
    settings
        What its backend is opened with.
    environment
        What the backend said it runs on; None until it is open.
    run
        The folder of the run it is at work on.
    crowded
        It said that it should not compile much more.
    """

    process: subprocess.Popen[str]
    inbox: Inbox
    settings: Settings = field(default_factory=Settings)
    environment: Mapping[str, Any] | None = None
    run: Path | None = None
    crowded: bool = False

    @classmethod
    def start(cls, plan: Plan, backend: str, log: Path, inbox: Inbox) -> Process:
        """Start a process that opens a backend."""
        with log.open("a", encoding="utf-8") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "manyseeds.execution.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                env=_environment(plan),
            )
        worker = cls(process, inbox, plan.settings())
        threading.Thread(target=worker._read, args=(process.stdout,), daemon=True).start()
        worker.send({"backend": backend, "settings": asdict(worker.settings)})
        return worker

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            if line.endswith("\n"):  # else it died in the middle of a message
                self.inbox.put((self, json.loads(line)))
        self.inbox.put((self, None))

    def fits(self, plan: Plan) -> bool:
        """Return whether it can train a plan's jobs: it lives, has room, and is opened as asked."""
        able = self.process.poll() is None and not self.crowded
        return able and self.settings == plan.settings()

    def take_up(self, ledger: Ledger, log: Path) -> None:
        """Hand over the suite of a run, whose jobs come next."""
        if self.run == ledger.folder:
            return
        plan = ledger.plan
        self.run = ledger.folder
        self.send(
            {
                "suite_text": plan.suite_text,
                "suite_file": plan.suite_file,
                "quick": plan.quick,
                "checkpoints": str(ledger.folder / "checkpoints"),
                "log": str(log),
            }
        )

    def send(self, message: Message) -> None:
        """Write a message; a process that has died says so by the end of its own messages."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def stop(self) -> None:
        """End the process."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(_STOPPING_SECONDS)

    def cause(self) -> str:
        """Say how the process ended."""
        code = self.process.wait(_STOPPING_SECONDS)
        if code == -signal.SIGKILL:
            return "the worker was killed (by the system if memory ran out: train fewer --lanes)"
        if code < 0:
            return f"the worker died of {signal.Signals(-code).name}"
        return f"the worker ended with status {code}"


class Workers:
    """The open processes, by backend."""

    def __init__(self) -> None:
        self._open: dict[str, Process] = {}
        self._inbox: Inbox = SimpleQueue()

    def close(self) -> None:
        """End them all."""
        for backend in list(self._open):
            self.stop(backend)

    def at(self, ledger: Ledger, backend: str) -> Process:
        """Return a backend's process, at work on a run: an open one where its settings fit.

        One that is started now says later whether it is ready.
        """
        log = log_of(ledger, backend)
        log.parent.mkdir(exist_ok=True)
        worker = self._open.get(backend)
        if worker and not worker.fits(ledger.plan):
            self.stop(backend)
            worker = None
        if worker is None:
            worker = Process.start(ledger.plan, backend, log, self._inbox)
            self._open[backend] = worker
        worker.take_up(ledger, log)
        return worker

    def stop(self, backend: str) -> None:
        """End a backend's process, if it has one."""
        worker = self._open.pop(backend, None)
        if worker is not None:
            worker.stop()

    def receive(self, seconds: float | None) -> tuple[Process, Message | None]:
        """Return the next message and its sender, who may have been stopped since.

        Raises
        ------
        TimeoutError
            None has come in time.
        """
        try:
            return self._inbox.get(timeout=seconds)
        except Empty:
            raise TimeoutError from None


def log_of(ledger: Ledger, backend: str) -> Path:
    """Return where a backend's process writes what its framework prints."""
    return ledger.folder / "logs" / f"{backend}.log"


def _environment(plan: Plan) -> dict[str, str]:
    environment = dict(os.environ)
    if plan.threads is not None:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = str(plan.threads)
    return environment
