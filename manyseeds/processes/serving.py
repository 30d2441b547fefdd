"""The worker's end: answer the parent's requests until the parent ends.

A worker is a module that ends in `serve(handler)` under a main guard. Its output goes to its log;
messages travel on pipes of their own.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

from manyseeds.errors import ManyseedsError
from manyseeds.processes.framing import Message, read_messages, write_message

Send = Callable[[Message], None]
"""Sends an answer to the parent; a request may have any number of answers."""

Handler = Callable[[Message, Send], None]
"""Answers a request."""


def serve(handler: Handler) -> None:
    """Hand each request to a handler; end the process as soon as the parent ends.

    A `ManyseedsError` travels to the parent, which raises it, and the next request is handled. Any
    other exception ends the process, with its traceback in the log.
    """
    reading, writing = _pipes()
    requests: SimpleQueue[Message] = SimpleQueue()
    threading.Thread(target=_read, args=(reading, requests), daemon=True).start()
    with os.fdopen(writing, "wb") as answers:

        def send(message: Message) -> None:
            write_message(answers, message)

        while True:
            request = requests.get()
            try:
                handler(request, send)
            except ManyseedsError as error:
                write_message(answers, error)


def worker_arguments() -> list[str]:
    """Return the arguments of `Worker.start` that follow the module's name."""
    return sys.argv[3:]


def log_to(path: Path) -> None:
    """Redirect the output of the process to another file."""
    sys.stdout.flush()
    sys.stderr.flush()
    with path.open("ab") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)


def _pipes() -> tuple[int, int]:
    try:
        reading, writing = map(int, sys.argv[1:3])
    except ValueError:
        sys.exit(f"{sys.argv[0]} is a worker: manyseeds.processes.worker_process.Worker starts it")
    return reading, writing


def _read(pipe: int, requests: SimpleQueue[Message]) -> None:
    """Queue requests as they come, so that the parent never waits for a worker that is busy."""
    # Unbuffered: the thread is left in the middle of a read when the process ends, and must hold
    # no lock then.
    try:
        with os.fdopen(pipe, "rb", buffering=0) as stream:
            for request in read_messages(stream):
                if isinstance(request, dict):
                    requests.put(request)
    finally:
        os._exit(1)
