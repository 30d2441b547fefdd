"""Calls functions in worker processes, from wherever the caller runs.

`multiprocessing` imports the caller's main module again in each process: a script needs a main
guard then, and a script on standard input cannot be imported at all. Workers do without.

A function is named as "module:function", so that the caller need not import it. Its arguments and
its result are pickled; both ends are this program.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from manyseeds.errors import ManyseedsError, RunError
from manyseeds.processes.call_worker import packed, unpacked
from manyseeds.processes.limits import with_remedy
from manyseeds.processes.worker_process import Inbox, Worker

_MODULE = "manyseeds.processes.call_worker"


def called(function: str, *arguments: Any) -> Any:
    """Return what a function returns in a worker process.

    Raises
    ------
    ManyseedsError
        The function raised it.
    RunError
        The function raised another exception, or its process died.
    """
    (result,) = mapped(function, [arguments], 1)
    return result


def mapped(function: str, calls: Sequence[tuple[Any, ...]], at_once: int) -> Iterator[Any]:
    """Yield what a function returns for each tuple of arguments, in their order.

    Parameters
    ----------
    function
        The function, as "module:function".
    calls
        The arguments of each call.
    at_once
        The number of processes; each takes the next call when it is done with one.

    Raises
    ------
    ManyseedsError, RunError
        As in `called`; the other processes are ended.
    """
    inbox = Inbox()
    waiting = list(enumerate(calls))[::-1]
    results: dict[int, Any] = {}
    workers = []
    try:
        for _ in range(min(at_once, len(calls))):
            workers.append(Worker.start(_MODULE, function, inbox=inbox))
            _send_next(workers[-1], waiting)
        for number in range(len(calls)):
            while number not in results:
                worker, place, result = _next_result(inbox)
                results[place] = result
                _send_next(worker, waiting)
            yield results.pop(number)
    finally:
        for worker in workers:
            worker.stop()


def _send_next(worker: Worker, waiting: list[tuple[int, tuple[Any, ...]]]) -> None:
    if waiting:
        number, arguments = waiting.pop()
        worker.send({"number": number, "arguments": packed(arguments)})


def _next_result(inbox: Inbox) -> tuple[Worker, int, Any]:
    """Return the next result with the worker that sends it, and the number of its call."""
    worker, event = inbox.receive()
    if isinstance(event, ManyseedsError):
        raise event
    if event is None:
        death = worker.death()
        raise RunError(f"a worker process {with_remedy(death.cause_and_last_words)}\n{death.log}")
    return worker, event["number"], unpacked(event["result"])
