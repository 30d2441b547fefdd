"""Carries out a plan, job after job in a process per backend; every outcome into the ledger.

Whatever becomes of a job, its rows get a record: a worker that dies or takes too long is
replaced, and its job's rows are `failed` or `timed_out`, with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from manyseeds.errors import RequestError, RunError
from manyseeds.ledger import ROW_KEY, Ledger
from manyseeds.plan import Job, Plan
from manyseeds.processes import Message, Process, Workers, log_of
from manyseeds.provenance import session
from manyseeds.records import diagnostics_rows, unfinished_rows
from manyseeds.suite import Suite
from manyseeds.suite_file import planned_suite
from manyseeds.training import Progress


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


def run(
    ledger: Ledger, observer: Observer, workers: Workers, *, timeout: float | None = None
) -> None:
    """Train every promised row that is not `ok` or `diverged` yet.

    Parameters
    ----------
    ledger
        Of a plan just made, or of a run to resume.
    observer
        Told of everything that happens.
    workers
        The processes, which stay open for another run.
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
                _BackendRun(ledger, plan, suite, backend, observer, timeout, sessions, workers).run(
                    jobs
                )
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
    workers: Workers
    broken: str = ""

    def run(self, jobs: Iterable[Job]) -> None:
        keep = self._prefixes_to_keep()
        attempts = self._attempts()
        try:
            for job in jobs:
                self._job(job, attempts[job.id] + 1, keep)
        except BaseException:
            self.workers.stop(self.backend)  # it may be in the middle of a job
            raise

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
            worker = self._worker()
        except RunError as error:
            self.broken = str(error)
        except RequestError as error:
            if len(self.plan.backends()) == 1:
                raise
            self.broken = str(error)  # the other backends' rows are still wanted
        if self.broken:
            return {"type": "failed", "reason": self.broken}
        request = {"job": job.model_dump(mode="json"), "attempt": attempt}
        worker.send({**request, "keep": keep[_group(job)]})
        return self._answer(worker, job)

    def _answer(self, worker: Process, job: Job) -> Message:
        """Wait for a job's outcome, passing its epochs on."""
        while True:
            try:
                message = worker.receive(self.timeout)
            except TimeoutError:
                self.workers.stop(self.backend)
                reason = f"no epoch ended within {self.timeout:g} s"
                return {"type": "failed", "status": "timed_out", "reason": reason}
            if message is None:
                reason = f"{worker.cause()}; see {log_of(self.ledger, self.backend)}"
                self.workers.stop(self.backend)
                return {"type": "failed", "reason": reason}
            if message["type"] != "epoch":
                worker.crowded = message["crowded"]
                return message
            fields = {name: message[name] for name in Progress.__dataclass_fields__}
            self.observer.epoch(job, Progress(**fields))

    def _worker(self) -> Process:
        """Return the backend's process; the first time, say what it runs on."""
        if self.broken:
            raise RunError(self.broken)
        worker = self.workers.at(self.ledger, self.backend)
        told = self.sessions[-1]["backends"]
        if told.get(self.backend) != worker.environment:
            told[self.backend] = worker.environment
            self.ledger.write_provenance(self.sessions)
            self.observer.opened(self.backend, worker.environment)
        return worker

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
