"""Carries out a plan with one worker per backend, and writes every outcome to the ledger.

Every job's rows get a record: a worker that dies or misses its deadline is replaced, and the rows
of its job are `failed` or `timed_out`, with the reason.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from manyseeds.errors import RequestError
from manyseeds.execution.dispatcher import Dispatcher, Observer
from manyseeds.execution.records import diagnostics_rows, unfinished_rows
from manyseeds.execution.sessions import Sessions
from manyseeds.execution.workers import Workers
from manyseeds.ledger.contents import checkpoint_files
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.plan import Job, Plan
from manyseeds.ledger.schemas import ROW_KEY
from manyseeds.processes.framing import Message
from manyseeds.suite.suite import Suite


def run(
    ledger: Ledger,
    observer: Observer,
    workers: Workers,
    *,
    timeout: float | None = None,
    other_versions: bool = False,
) -> None:
    """Train every promised row that is not `ok` or `diverged` yet.

    Parameters
    ----------
    ledger
        The ledger of a new plan, or of a run to resume.
    observer
        Notified of everything that happens.
    workers
        The worker processes, which stay open for another run.
    timeout
        Seconds a job may go without finishing an epoch; then its rows are `timed_out`.
    other_versions
        Whether to train also under other versions than those of the run's earlier rows.

    Raises
    ------
    RequestError
        Earlier rows were trained under other versions, and `other_versions` is false.
    """
    with ledger.writing():
        plan = ledger.plan
        suite = ledger.suite
        datasets = {p.task.dataset for c in suite.cells for p in c.recipe.phases}
        sessions = Sessions(ledger, datasets, other_versions=other_versions)
        recorder = _Recorder(ledger, plan, suite, observer, sessions)
        Dispatcher(
            ledger,
            workers,
            observer,
            request=recorder.request,
            opened=recorder.opened,
            ended=recorder.ended,
            timeout=timeout,
        ).dispatch(outstanding(ledger), plan.beside)
        if not outstanding(ledger):
            for path in checkpoint_files(ledger.folder / "checkpoints"):
                with contextlib.suppress(OSError):  # a disk that became read-only; all is recorded
                    path.unlink()


def outstanding(ledger: Ledger) -> list[Job]:
    """Return the jobs that have rows not yet `ok` or `diverged`, in the plan's order."""
    delivered = ledger.delivered()
    done = delivered[delivered["status"].isin(["ok", "diverged"])]
    rows = set(done[ROW_KEY].itertuples(index=False, name=None))
    return [job for job in ledger.plan.jobs if not rows.issuperset(job.rows())]


class _Recorder:
    """Makes the requests for workers, and writes their outcomes to the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        plan: Plan,
        suite: Suite,
        observer: Observer,
        sessions: Sessions,
    ) -> None:
        self.ledger = ledger
        self.suite = suite
        self.observer = observer
        self.sessions = sessions
        self._keep = _prefixes_to_keep(plan, suite)
        self._attempts = ledger.attempts()

    def request(self, job: Job) -> Message:
        """Return the request that asks a worker to train a job."""
        attempt, keep = self._attempts[job.id] + 1, self._keep[_group(job)]
        document = job.model_dump(mode="json")
        return {"type": "job", "job": document, "attempt": attempt, "keep": keep}

    def opened(self, backend: str, environment: Mapping[str, Any]) -> None:
        """Record the environment of a backend, unless it is recorded already."""
        if self.sessions.open(backend, environment):
            self.observer.opened(backend, environment)

    def ended(self, job: Job, answer: Message) -> None:
        """Write a job's rows to the ledger."""
        attempt = self._attempts[job.id] + 1
        if answer["type"] == "done":
            records, curves = answer["records"], answer["curves"]
            diagnostics = diagnostics_rows(job, attempt, answer["diagnoses"])
        else:
            status = answer.get("status", "failed")
            records = unfinished_rows(self.suite, job, attempt, status, answer["reason"])
            curves, diagnostics = [], []
            self.sessions.save()  # a backend that did not open has recorded nothing
        records = [{**record, "session": self.sessions.number} for record in records]
        self.ledger.append(job.id, records, curves, diagnostics)
        statuses = Counter(str(record["status"]) for record in records)
        worst = sorted(records, key=lambda record: record["status"] == "ok")
        reasons = [record["reason"] for record in worst if record["reason"]]
        self.observer.ended(job, statuses, reasons[0] if reasons else "")


def _prefixes_to_keep(plan: Plan, suite: Suite) -> Mapping[Any, list[str]]:
    """Return, for each set of lanes, the prefixes of phases that several jobs share."""
    counts: dict[Any, Counter[str]] = {}
    for job in plan.jobs:
        recipe = suite.recipe(job.recipe, job.case)
        prefixes = {recipe.prefix(n + 1) for n in range(len(recipe.phases))}
        counts.setdefault(_group(job), Counter()).update(prefixes)
    return {
        group: sorted(prefix for prefix, count in counter.items() if count > 1)
        for group, counter in counts.items()
    }


def _group(job: Job) -> tuple[Any, ...]:
    return job.backend, job.mode, job.vary, job.seeds


def check_unchanged(plan: Plan, text: str) -> None:
    """Raise a `RequestError` if a run's suite has changed since, and show the difference."""
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
