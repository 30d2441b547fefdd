"""Carries out a plan: one process per backend, job after job, every outcome into the ledger.

Whatever becomes of a job, its rows get a record: a worker that dies or takes too long is
replaced, and its job's rows are `failed` or `timed_out`, with the reason.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any, Protocol

from manyseeds.errors import RequestError, RunError
from manyseeds.ledger import ROW_KEY, Ledger
from manyseeds.plan import Job, Plan
from manyseeds.provenance import session
from manyseeds.records import diagnostics_rows, unfinished_rows
from manyseeds.suite import Suite
from manyseeds.suite_file import planned_suite
from manyseeds.training import Progress

Message = dict[str, Any]
_OPENING_SECONDS = 600.0
_STOPPING_SECONDS = 10.0


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
class _Process:
    """A worker process and its messages; None marks the end of them."""

    process: subprocess.Popen[str]
    messages: Queue[Message | None] = field(default_factory=Queue)

    @classmethod
    def start(cls, plan: Plan, backend: str, ledger: Ledger) -> _Process:
        folder = ledger.folder / "logs"
        folder.mkdir(exist_ok=True)
        with (folder / f"{backend}.log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "manyseeds.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_environment(plan),
            )
        worker = cls(process)
        threading.Thread(target=worker._read, args=(process.stdout,), daemon=True).start()
        worker.send(_opening(plan, backend, ledger))
        return worker

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            if line.endswith("\n"):  # else it died in the middle of a message
                self.messages.put(json.loads(line))
        self.messages.put(None)

    def send(self, message: Message) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has died: the end of its messages says so

    def receive(self, seconds: float | None) -> Message | None:
        """Return the next message, or None when the worker has ended; TimeoutError when late."""
        try:
            return self.messages.get(timeout=seconds)
        except Empty:
            raise TimeoutError from None

    def stop(self) -> None:
        """End the process: politely, then not."""
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


def _environment(plan: Plan) -> dict[str, str]:
    environment = dict(os.environ)
    if plan.threads is not None:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = str(plan.threads)
    return environment


def _opening(plan: Plan, backend: str, ledger: Ledger) -> Message:
    return {
        "backend": backend,
        "settings": {
            "device": plan.device,
            "precision": plan.precision,
            "deterministic": plan.deterministic,
            "tf32": plan.tf32,
            "threads": plan.threads,
        },
        "suite_text": plan.suite_text,
        "suite_file": plan.suite_file,
        "quick": plan.quick,
        "checkpoints": str(ledger.folder / "checkpoints"),
    }


def run(ledger: Ledger, observer: Observer, *, timeout: float | None = None) -> None:
    """Train every promised row that is not `ok` or `diverged` yet.

    Parameters
    ----------
    ledger
        Of a plan just made, or of a run to resume.
    observer
        Told of everything that happens.
    timeout
        Seconds a job may go without ending an epoch; then its rows are `timed_out`.
    """
    with ledger.writing():
        plan = ledger.plan
        suite = planned_suite(plan)
        datasets = {p.task.dataset for c in suite.cells for p in c.recipe.phases}
        sessions = [*ledger.provenance, session(datasets)]
        ledger.write_provenance(sessions)
        todo = outstanding(ledger)
        for backend in plan.backends():
            jobs = [job for job in todo if job.backend == backend]
            if jobs:
                _BackendRun(ledger, plan, suite, backend, observer, timeout, sessions).run(jobs)
        if not outstanding(ledger):
            _clear(ledger.folder / "checkpoints")


def outstanding(ledger: Ledger) -> list[Job]:
    """Return the jobs with rows that are not `ok` or `diverged` yet, in the plan's order."""
    delivered = ledger.delivered()
    done = delivered[delivered["status"].isin(["ok", "diverged"])]
    rows = set(done[ROW_KEY].itertuples(index=False, name=None))
    return [job for job in ledger.plan.jobs if not rows.issuperset(job.rows())]


def _clear(folder: Path) -> None:
    for path in folder.glob("*.npz"):
        path.unlink()


@dataclass
class _BackendRun:
    """One backend's jobs."""

    ledger: Ledger
    plan: Plan
    suite: Suite
    backend: str
    observer: Observer
    timeout: float | None
    sessions: list[dict[str, Any]]
    worker: _Process | None = None
    broken: str = ""

    def run(self, jobs: Iterable[Job]) -> None:
        keep = self._prefixes_to_keep()
        attempts = self._attempts()
        try:
            for job in jobs:
                self._job(job, attempts[job.id] + 1, keep)
        finally:
            self._stop()

    def _job(self, job: Job, attempt: int, keep: Mapping[Any, list[str]]) -> None:
        self.observer.started(job)
        answer = self._train(job, attempt, keep)
        if answer["type"] == "done":
            records, curves = answer["records"], answer["curves"]
            diagnostics = diagnostics_rows(job, attempt, answer["diagnoses"])
        else:
            status = answer.get("status", "failed")
            records = unfinished_rows(self.suite, job, attempt, status, answer["reason"])
            curves, diagnostics = [], []
        self.ledger.append(job.id, records, curves, diagnostics)
        statuses = Counter(str(record["status"]) for record in records)
        reasons = [record["reason"] for record in records if record["reason"]]
        self.observer.ended(job, statuses, reasons[0] if reasons else "")

    def _train(self, job: Job, attempt: int, keep: Mapping[Any, list[str]]) -> Message:
        """Have a worker train a job and return its outcome; no worker, no outcome but `failed`."""
        try:
            self.worker = self.worker or self._open()
        except RunError as error:
            self.broken = str(error)
        except RequestError as error:
            if len(self.plan.backends()) == 1:
                raise
            self.broken = str(error)  # the other backends' rows are still wanted
        if self.worker is None:
            return {"type": "failed", "reason": self.broken}
        request = {"job": job.model_dump(mode="json"), "attempt": attempt}
        self.worker.send({**request, "keep": keep[_group(job)]})
        return self._answer(self.worker, job)

    def _answer(self, worker: _Process, job: Job) -> Message:
        """Wait for a job's outcome, passing its epochs on."""
        while True:
            try:
                message = worker.receive(self.timeout)
            except TimeoutError:
                self._stop()
                reason = f"no epoch ended within {self.timeout:g} s"
                return {"type": "failed", "status": "timed_out", "reason": reason}
            if message is None:
                reason = f"{worker.cause()}; see {self._log()}"
                self.worker = None
                return {"type": "failed", "reason": reason}
            if message["type"] != "epoch":
                return message
            fields = {name: message[name] for name in Progress.__dataclass_fields__}
            self.observer.epoch(job, Progress(**fields))

    def _open(self) -> _Process:
        if self.broken:
            raise RunError(self.broken)
        worker = _Process.start(self.plan, self.backend, self.ledger)
        started = f"backend {self.backend!r} did not start"
        try:
            message = worker.receive(_OPENING_SECONDS)
        except TimeoutError:
            worker.stop()
            late = f"within {_OPENING_SECONDS:g} s; see {self._log()}"
            raise RunError(f"{started} {late}") from None
        if message is None:
            raise RunError(f"{started}: {worker.cause()}; see {self._log()}")
        if message["type"] == "refused":
            worker.stop()
            raise RequestError(message["reason"])
        self.sessions[-1]["backends"][self.backend] = message["environment"]
        self.ledger.write_provenance(self.sessions)
        self.observer.opened(self.backend, message["environment"])
        return worker

    def _stop(self) -> None:
        if self.worker is not None:
            self.worker.stop()
            self.worker = None

    def _log(self) -> Path:
        return self.ledger.folder / "logs" / f"{self.backend}.log"

    def _attempts(self) -> Counter[int]:
        """Return how often each job has been tried."""
        tried: Counter[int] = Counter()
        delivered = self.ledger.delivered()
        for job, attempt in zip(delivered["job"], delivered["attempt"], strict=True):
            tried[int(job)] = max(tried[int(job)], int(attempt))
        return tried

    def _prefixes_to_keep(self) -> Mapping[Any, list[str]]:
        """Return, per set of lanes, the prefixes of phases that several jobs have."""
        counts: dict[Any, Counter[str]] = {}
        for job in self.plan.jobs:
            recipe = self.suite.recipe(job.recipe, job.case)
            prefixes = {recipe.prefix(n + 1) for n in range(len(recipe.phases))}
            counts.setdefault(_group(job), Counter()).update(prefixes)
        return {
            group: sorted(prefix for prefix, count in counter.items() if count > 1)
            for group, counter in counts.items()
        }


def _group(job: Job) -> tuple[Any, ...]:
    return job.backend, job.mode, job.vary, job.seeds


def check_unchanged(plan: Plan, text: str) -> None:
    """Refuse to resume a run whose suite has changed, and show the difference."""
    import difflib

    if text == plan.suite_text:
        return
    difference = difflib.unified_diff(
        plan.suite_text.splitlines(), text.splitlines(), "as planned", "as it is now", lineterm=""
    )
    raise RequestError(
        f"suite {plan.suite!r} has changed since run {plan.run} was planned; a resumed run keeps "
        "its promises. Start a new run, or restore the suite:\n" + "\n".join(difference)
    )
