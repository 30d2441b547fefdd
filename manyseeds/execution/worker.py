"""A worker: the process in which one backend trains the jobs it is handed.

It reads requests and writes messages, one JSON object a line, on its standard streams; whatever
the framework prints goes to the standard error stream. It writes no ledger: records travel to
the runner. When the runner goes away, so does the worker.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from queue import Queue
from typing import Any, TextIO

from manyseeds.backend.discovery import backend_entry
from manyseeds.backend.protocols import Backend
from manyseeds.backend.settings import Settings
from manyseeds.datasets import TaskData
from manyseeds.errors import ManyseedsError
from manyseeds.execution.checkpoint import load_state, save_state
from manyseeds.execution.phase import Progress, Report, train_phase
from manyseeds.execution.records import curve_rows, diagnosis_messages, record_rows
from manyseeds.execution.scoring import scores
from manyseeds.execution.state import Seconds, State
from manyseeds.ledger.plan import Job
from manyseeds.model import digest
from manyseeds.processes.host import crowded, forget_peak_memory, peak_memory
from manyseeds.randomness.lanes import Lanes, seeds_of
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.suite import Suite

Message = dict[str, Any]


def main() -> None:
    """Serve requests until the standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner decides what Ctrl-C means
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    requests = _requests()
    opening = next(requests)
    try:
        settings = Settings(**opening["settings"])
        backend = backend_entry(opening["backend"]).open(settings)
        _send(out, type="ready", environment=asdict(backend.describe()))
    except ManyseedsError as error:
        _send(out, type="refused", reason=str(error))
        return
    worker = None
    for request in requests:
        if "job" not in request:
            worker = _taken_up(backend, settings, request)
        elif worker is not None:
            _send(out, **_answer(worker, request, out), crowded=crowded())


def _taken_up(backend: Backend, settings: Settings, request: Message) -> Worker:
    """Return the worker for a run's suite; what is printed from now on goes to that run's log."""
    with open(request["log"], "a", encoding="utf-8") as log:
        os.dup2(log.fileno(), 2)
    suite = parse_suite(request["suite_text"], request["suite_file"], quick=request["quick"])
    return Worker(backend, settings, suite, Path(request["checkpoints"]))


def _answer(worker: Worker, request: Message, out: TextIO) -> Message:
    job = Job.model_validate_json(json.dumps(request["job"]))

    def report(progress: Progress) -> None:
        _send(out, type="epoch", job=job.id, **asdict(progress))

    try:
        return worker.run(job, request["attempt"], frozenset(request["keep"]), report)
    except MemoryError:
        return _failed(job, "out of memory: train fewer lanes at once (--lanes)")
    except Exception as error:  # the job fails, the worker and the other jobs go on
        traceback.print_exc()
        return _failed(job, f"{type(error).__name__}: {error}")


def _failed(job: Job, reason: str) -> Message:
    return {"type": "failed", "job": job.id, "reason": reason}


def _send(out: TextIO, **message: Any) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


def _requests() -> Iterator[Message]:
    """Yield requests as they come; end the process at once when the runner has gone."""
    queue: Queue[str | None] = Queue()

    def read() -> None:
        for line in sys.stdin:
            if line.strip() == "stop":
                queue.put(None)
                return
            queue.put(line)
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    while (line := queue.get()) is not None:
        yield json.loads(line)


class Worker:
    """Trains jobs on an opened backend."""

    def __init__(
        self, backend: Backend, settings: Settings, suite: Suite, checkpoints: Path
    ) -> None:
        self.backend = backend
        self.settings = settings
        self.suite = suite
        self.checkpoints = checkpoints
        self.data = TaskData()

    def run(self, job: Job, attempt: int, keep: frozenset[str], report: Report) -> Message:
        """Train a job and return the message with its records, curves and diagnoses.

        Parameters
        ----------
        job, attempt
            What to train, and which attempt at it this is, from 1.
        keep
            Prefixes of phases, by fingerprint, that other jobs will go on from.
        report
            Called after every epoch.
        """
        forget_peak_memory()
        before = self.backend.compiled()
        recipe = self.suite.recipe(job.recipe, job.case)
        lanes = seeds_of(job.seeds, job.varied)
        state, shared = self._trained(recipe, lanes, keep, report)
        metrics = scores(self.backend, recipe, state, lanes, self.settings.precision, self.data)
        compiled = self.backend.compiled() - before
        facts = {
            "recipe_sha256": recipe.fingerprint(),
            "device": self.backend.describe().device,
            "attempt": attempt,
            "seconds_compile": compiled.seconds,
            "compilations": compiled.programs,
            "peak_memory_bytes": self._peak_memory(),
        }
        return {
            "type": "done",
            "job": job.id,
            "records": record_rows(self.suite, job, facts, lanes, state, shared, metrics),
            "curves": curve_rows(job, attempt, state),
            "diagnoses": diagnosis_messages(state),
        }

    def _trained(
        self, recipe: Recipe, lanes: Lanes, keep: frozenset[str], report: Report
    ) -> tuple[State, Seconds]:
        """Train what is not yet trained; return the state and the seconds of what was."""
        state = self._resumed(recipe, lanes)
        shared = state.seconds
        while state.phases < len(recipe.phases):
            phase = recipe.phases[state.phases]
            data = self.data.splits(phase.task, self.settings.precision)
            cohort = self.backend.cohort(phase.network, data, len(lanes))
            state = train_phase(cohort, recipe, state, data, lanes, report)
            if recipe.prefix(state.phases) in keep:
                save_state(self._checkpoint(recipe, state.phases, lanes), state)
        return state, shared

    def _resumed(self, recipe: Recipe, lanes: Lanes) -> State:
        """Return the state after the most phases that are on disk."""
        for phases in range(len(recipe.phases), 0, -1):
            state = load_state(self._checkpoint(recipe, phases, lanes))
            if state is not None:
                return state
        return State.start(len(lanes))

    def _checkpoint(self, recipe: Recipe, phases: int, lanes: Lanes) -> Path:
        identity = {
            "backend": self.backend.describe().backend,
            "prefix": recipe.prefix(phases),
            "settings": asdict(self.settings),
            "lanes": [seeds.as_dict() for seeds in lanes.seeds],
        }
        return self.checkpoints / f"{digest(identity)[:32]}.npz"

    def _peak_memory(self) -> int:
        return self.backend.peak_memory() or peak_memory()


if __name__ == "__main__":
    main()
