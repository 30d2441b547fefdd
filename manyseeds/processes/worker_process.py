"""The parent's end of a worker process: start it, send it requests, receive its answers, end it.

    with Worker.start("package.module") as worker:
        worker.send({"number": 2})
        answer = worker.receive(timeout=60)

The module calls `manyseeds.processes.serving.serve`.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, BinaryIO, Self

from manyseeds.errors import ManyseedsError
from manyseeds.processes.death import Death, WorkerDiedError
from manyseeds.processes.framing import Message, read_messages, write_message
from manyseeds.processes.import_path import worker_environment, worker_path
from manyseeds.processes.limits import limits_explained

Event = Message | ManyseedsError | None
"""An answer; an error that the worker raised on purpose; None when the worker's pipe has closed."""

ENDING_SECONDS = 10.0
"""How long a process may take to end after its pipe has closed."""

_LOG_TAIL_BYTES = 8000
_STARTER = str(Path(__file__).with_name("start_worker.py"))


class Inbox:
    """A queue of the events of one or several workers, in the order of their arrival."""

    def __init__(self) -> None:
        self._events: SimpleQueue[tuple[Worker, Event]] = SimpleQueue()

    def put(self, worker: Worker, event: Event) -> None:
        """Add an event."""
        self._events.put((worker, event))

    def receive(self, timeout: float | None = None) -> tuple[Worker, Event]:
        """Return the next event and its sender, which may have been stopped since.

        Raises
        ------
        TimeoutError
            No event came within `timeout` seconds.
        """
        try:
            return self._events.get(timeout=timeout)
        except Empty:
            raise TimeoutError from None


class Worker:
    """A module that runs in a process of its own, which ends when this process ends.

    Its standard input is empty, its output and errors go to a log. It can import the same modules
    as this process, but nothing from the working folder, and runs no start-up file of the user's.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], requests: BinaryIO, log: IO[bytes], inbox: Inbox
    ) -> None:
        self._process = process
        self._requests = requests
        self._log = log
        self._inbox = inbox

    @classmethod
    def start(
        cls,
        module: str,
        *arguments: str,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        inbox: Inbox | None = None,
    ) -> Self:
        """Start a module as a worker.

        Parameters
        ----------
        module, arguments
            The module's full name, and the arguments that `worker_arguments` returns in it.
        log
            The file to which its output is appended; None: a temporary one.
        environment
            Variables that differ from this process's.
        inbox
            The inbox in which its events arrive; None: one of its own, which `receive` reads.

        Raises
        ------
        RunError, OSError
            The system lets no more processes, threads or files be opened; the log cannot be.
        """
        command = [sys.executable, "-P", "-s", _STARTER, json.dumps(worker_path()), module]
        with ExitStack() as ours, ExitStack() as the_workers:
            stream = ours.enter_context(_opened_log(log))
            the_workers.enter_context(limits_explained("cannot start a worker process: "))
            child_requests, requests = os.pipe()
            the_workers.callback(os.close, child_requests)
            writer = ours.enter_context(os.fdopen(requests, "wb"))
            answers, child_answers = os.pipe()
            the_workers.callback(os.close, child_answers)
            reader = ours.enter_context(os.fdopen(answers, "rb"))
            process = subprocess.Popen(
                [*command, str(child_requests), str(child_answers), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                pass_fds=(child_requests, child_answers),
                env=worker_environment(environment or {}),
            )
            ours.callback(_end, process)
            worker = cls(process, writer, stream, inbox or Inbox())
            threading.Thread(target=worker._read, args=(reader,), daemon=True).start()
            ours.pop_all()  # it has started: nothing is undone
        return worker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether the process is still running."""
        return self._process.poll() is None

    def send(self, message: Message) -> None:
        """Send a request; if the worker has died, the end of its events says so."""
        with contextlib.suppress(BrokenPipeError):
            write_message(self._requests, message)

    def receive(self, timeout: float | None = None) -> Message:
        """Return the next answer of a worker that has an inbox of its own.

        Raises
        ------
        ManyseedsError
            The worker raised it.
        WorkerDiedError
            The worker ended before it answered.
        TimeoutError
            No answer came within `timeout` seconds.
        """
        _, event = self._inbox.receive(timeout)
        if event is None:
            raise WorkerDiedError(self.death())
        if isinstance(event, ManyseedsError):
            raise event
        return event

    def death(self) -> Death:
        """Return how a worker ended whose pipe has closed; kill it if it does not end."""
        status: int | None
        try:
            status = self._process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait(ENDING_SECONDS)
            status = None
        return Death(status, self._log_tail())

    def kill(self) -> None:
        """End the process, from any thread; a thread that waits for its answers sees it die."""
        if self.alive:
            self._process.kill()

    def stop(self) -> None:
        """End the process and close its pipe and log."""
        self.kill()
        self._process.wait(ENDING_SECONDS)
        with contextlib.suppress(BrokenPipeError):  # something may be left unsent
            self._requests.close()
        self._log.close()

    def _read(self, answers: BinaryIO) -> None:
        with answers:
            for event in read_messages(answers):
                self._inbox.put(self, event)
        self._inbox.put(self, None)

    def _log_tail(self) -> str:
        # Not by seeking: the worker writes at the same position.
        number = self._log.fileno()
        start = max(0, os.fstat(number).st_size - _LOG_TAIL_BYTES)
        return os.pread(number, _LOG_TAIL_BYTES, start).decode("utf-8", "replace").strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(ENDING_SECONDS)


def _opened_log(log: Path | None) -> IO[bytes]:
    if log is None:
        return tempfile.TemporaryFile()
    return log.open("a+b")
