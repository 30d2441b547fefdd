"""The training worker: opens one backend and trains the jobs it is sent.

It writes no ledger: records travel to the runner. Requests have a "type": "open" a backend, take up
the "suite" of a run, train a "job".
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from manyseeds.backend.discovery import backend_entry
from manyseeds.backend.protocols import Backend
from manyseeds.backend.settings import Settings
from manyseeds.datasets import TaskData
from manyseeds.errors import reason
from manyseeds.execution.checkpoint import (
    CheckpointError,
    Expected,
    load_state,
    save_state,
)
from manyseeds.execution.code_digest import NUMERICS, code_digest
from manyseeds.execution.phase import Progress, Report, train_phase
from manyseeds.execution.records import curve_rows, diagnosis_messages, record_rows
from manyseeds.execution.scoring import scores
from manyseeds.execution.state import Seconds, State
from manyseeds.ledger.plan import Job
from manyseeds.model import digest
from manyseeds.processes.framing import Message
from manyseeds.processes.host import crowded, forget_peak_memory, peak_memory
from manyseeds.processes.limits import with_remedy
from manyseeds.processes.serving import Send, log_to, serve
from manyseeds.processes.surroundings import ignored_variables
from manyseeds.randomness.lanes import Lanes, seeds_of
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.suite import Suite


def main() -> None:
    """Serve the runner's requests."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner decides what Ctrl-C means
    serve(TrainingRequests().answer)


class TrainingRequests:
    """Answers the runner's requests: first a backend, then a suite, then its jobs."""

    def __init__(self) -> None:
        self._settings: Settings
        self._backend: Backend
        self._trainer: JobTrainer

    def answer(self, request: Message, send: Send) -> None:
        """Answer a request."""
        match request["type"]:
            case "open":
                self._settings = Settings(**request["settings"])
                before = dict(os.environ)
                self._backend = backend_entry(request["backend"]).open(self._settings)
                ignored = ignored_variables(before, os.environ)
                described = asdict(self._backend.describe()) | {"ignored": ignored}
                send({"type": "ready", "environment": described})
            case "suite":
                log_to(Path(request["log"]))
                text, file, quick = (request[n] for n in ("suite_text", "suite_file", "quick"))
                suite, checkpoints = parse_suite(text, file, quick=quick), request["checkpoints"]
                self._trainer = JobTrainer(self._backend, self._settings, suite, Path(checkpoints))
            case "job":
                send(_trained(self._trainer, request, send) | {"crowded": crowded()})


def _trained(trainer: JobTrainer, request: Message, send: Send) -> Message:
    """Train a job and return its outcome: a message "done" or "failed"."""
    job = Job.model_validate_json(json.dumps(request["job"]))

    def report(progress: Progress) -> None:
        send({"type": "epoch", "job": job.id, **asdict(progress)})

    try:
        return trainer.run(job, request["attempt"], frozenset(request["keep"]), report)
    except MemoryError:
        return _failed(job, "out of memory: train fewer lanes at once (--lanes)")
    except Exception as error:  # the job fails, the worker and the other jobs go on
        traceback.print_exc()
        return _failed(job, with_remedy(f"{type(error).__name__}: {error}"))


def _failed(job: Job, reason: str) -> Message:
    return {"type": "failed", "job": job.id, "reason": reason}


class JobTrainer:
    """Trains jobs on an opened backend."""

    def __init__(
        self, backend: Backend, settings: Settings, suite: Suite, checkpoints: Path
    ) -> None:
        self.backend = backend
        self.settings = settings
        self.suite = suite
        self.checkpoints = checkpoints
        self.data = TaskData()
        wing = type(backend).__module__.partition(".")[0]
        self.code = code_digest([*NUMERICS, wing])

    def run(self, job: Job, attempt: int, keep: frozenset[str], report: Report) -> Message:
        """Train a job and return the message with its records, curves and diagnoses.

        Parameters
        ----------
        job, attempt
            The job to train, and the number of this attempt at it, from 1.
        keep
            Prefixes of phases, by fingerprint, whose state to save: other jobs continue from them.
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
        """Train the phases without a checkpoint; return the state and the seconds of the others."""
        state = self._resumed(recipe, lanes)
        shared = state.seconds
        while state.phases < len(recipe.phases):
            phase = recipe.phases[state.phases]
            data = self.data.splits(phase.task, self.settings.precision)
            cohort = self.backend.cohort(phase.network, data, len(lanes))
            state = train_phase(cohort, recipe, state, data, lanes, report)
            if recipe.prefix(state.phases) in keep:
                self._save(self._checkpoint(recipe, state.phases, lanes), state)
        return state, shared

    def _save(self, checkpoint: Path, state: State) -> None:
        """Save a state where that is possible: without it other jobs train these phases again."""
        try:
            save_state(checkpoint, state)
        except OSError as error:  # on a full disk the records fail too, and say what to do
            print(f"no checkpoint {checkpoint}: {reason(error)}", file=sys.stderr)

    def _resumed(self, recipe: Recipe, lanes: Lanes) -> State:
        """Return the state of the latest checkpoint; without one, that before the first phase."""
        for phases in range(len(recipe.phases), 0, -1):
            path = self._checkpoint(recipe, phases, lanes)
            try:
                state = load_state(path, Expected.after(recipe, phases, len(lanes)))
            except CheckpointError as error:
                print(f"{error}. Its phases are trained again.", flush=True)
                continue
            if state is not None:
                return state
        return State.start(len(lanes))

    def _checkpoint(self, recipe: Recipe, phases: int, lanes: Lanes) -> Path:
        environment = self.backend.describe()
        identity = {
            "backend": environment.backend,
            # What other versions, or another state of the code, have trained is another state.
            "versions": {"manyseeds": version("manyseeds"), **environment.versions},
            "code": self.code,
            "prefix": recipe.prefix(phases),
            "settings": asdict(self.settings),
            "lanes": [seeds.as_dict() for seeds in lanes.seeds],
        }
        return self.checkpoints / f"{digest(identity)[:32]}.npz"

    def _peak_memory(self) -> int:
        return self.backend.peak_memory() or peak_memory()


if __name__ == "__main__":
    main()
