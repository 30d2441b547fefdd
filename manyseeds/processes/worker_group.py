"""Workers that end together."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Self

from manyseeds.processes.worker_process import Worker


class WorkerGroup:
    """Starts workers, from any thread, and ends them all when its `with` block ends.

    Threads that wait for answers then see their workers die, so they end without being waited for.
    """

    def __init__(self) -> None:
        self._workers: list[Worker] = []
        self._lock = threading.Lock()
        self.stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(
        self, module: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> Worker:
        """Start a worker, as `Worker.start` does; a stopped group kills it at once."""
        worker = Worker.start(module, *arguments, environment=environment)
        with self._lock:
            self._workers = [other for other in self._workers if other.alive]
            self._workers.append(worker)
            if self.stopped:
                worker.kill()
        return worker

    def stop(self) -> None:
        """Kill all workers, and any that is started later."""
        with self._lock:
            self.stopped = True
            for worker in self._workers:
                worker.kill()
