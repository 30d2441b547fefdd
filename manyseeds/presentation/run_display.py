"""Shows a run's progress: bars with the time left on a terminal, else a line per finished job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from manyseeds.datasets import dataset
from manyseeds.execution.phase import Progress as EpochProgress
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.plan import Job, Plan
from manyseeds.presentation.streams import is_live
from manyseeds.presentation.terminal import Part, styled, terminal
from manyseeds.presentation.wording import flags_left_out
from manyseeds.suite.recipe import Phase
from manyseeds.suite.suite import Suite


def epoch_work(phase: Phase, lanes: int) -> int:
    """Return about how much work an epoch is: the examples its lanes see."""
    task = phase.task
    described = dataset(task.dataset)
    classes = len(task.classes) if task.classes else len(described.classes)
    rows = (described.train - task.valid) * classes // len(described.classes)
    return lanes * (min(rows, task.train) if task.train else rows)


def job_work(plan: Plan, suite: Suite) -> dict[int, int]:
    """Return each job's work, without the phases that an earlier job trains for it."""
    trained: set[Any] = set()
    work: dict[int, int] = {}
    for job in plan.jobs:
        recipe = suite.recipe(job.recipe, job.case)
        work[job.id] = 0
        for number, phase in enumerate(recipe.phases):
            shared = (job.backend, job.mode, job.vary, job.seeds, recipe.prefix(number + 1))
            if shared not in trained:
                work[job.id] += phase.epochs * epoch_work(phase, len(job.seeds))
            trained.add(shared)
    return work


class TerminalDisplay:
    """Shows runs as bars on a terminal, else as plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or terminal(errors=True)

    def notice(self, line: str) -> None:
        """Show a remark about a plan: a backend is left out, or cohorts are split."""
        self._console.print(styled(("note", "yellow"), f": {line}"))

    def run(self, ledger: Ledger, done: frozenset[int]) -> RunDisplay:
        """Announce a run and return its bars; jobs `done` are already in its ledger."""
        plan, suite = ledger.plan, ledger.suite
        self._console.print(
            styled(
                (suite.title, "bold"),
                f" · {ledger.folder} · {len(list(plan.rows()))} trainings in {len(plan.jobs)} jobs",
            ),
            soft_wrap=True,
        )
        return RunDisplay(plan, suite, done, self._console)


class RunDisplay:
    """Progress on the standard error stream: of the run, and of the job that each backend trains.

    The run's bar counts the examples seen, so that short recipes do not distort the time left.
    """

    def __init__(self, plan: Plan, suite: Suite, done: frozenset[int], console: Console) -> None:
        self._plan, self._suite, self._console = plan, suite, console
        self._work = job_work(plan, suite)
        self._ended = len(done)
        self._before = self._so_far = sum(self._work[job] for job in done)
        self._progress = Progress(*_columns(), console=console, disable=not is_live(console))
        self._run = self._progress.add_task(
            "run", total=max(1, sum(self._work.values())), completed=self._so_far, note=""
        )
        self._jobs: dict[str, TaskID] = {}

    def __enter__(self) -> RunDisplay:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def opened(self, backend: str, environment: Mapping[str, Any]) -> None:
        """Print the device, threads and versions of a backend."""
        versions = ", ".join(f"{n} {v}" for n, v in environment["versions"].items())
        self._say(
            (backend, "bold"),
            f": {environment['device_name']}, {environment['threads']} threads ({versions})",
        )
        if flags := environment.get("flags_left_out"):
            self._say(("note", "yellow"), f": {backend}: {flags_left_out(flags)}")
        if ignored := environment.get("ignored"):
            names = ", ".join(ignored)
            self._say(
                ("note", "yellow"), f": {backend} ignores {names}, which would change its numbers"
            )

    def started(self, job: Job) -> None:
        """Show the job that has started."""
        total = sum(phase.epochs for phase in self._suite.recipe(job.recipe, job.case).phases)
        if job.backend not in self._jobs:
            self._jobs[job.backend] = self._progress.add_task("job", note="")
        self._progress.reset(
            self._jobs[job.backend],
            total=total,
            visible=True,
            note="",
            description=f"  {_name(job)}",
        )
        self._note()

    def epoch(self, job: Job, progress: EpochProgress) -> None:
        """Advance the bars by an epoch."""
        recipe = self._suite.recipe(job.recipe, job.case)
        phase = next(phase for phase in recipe.phases if phase.name == progress.phase)
        note = progress.phase
        if progress.valid_accuracy is not None:
            note += f"  valid. accuracy {100 * progress.valid_accuracy:.2f} %"
        self._progress.update(self._jobs[job.backend], advance=1, note=note)
        self._progress.update(self._run, advance=epoch_work(phase, len(job.seeds)))

    def ended(self, job: Job, statuses: Mapping[str, int], reason: str) -> None:
        """Advance the run's bar by a job; print its outcome unless all is ok and a bar shows it."""
        self._ended += 1
        self._so_far += self._work[job.id]
        self._progress.update(self._run, completed=self._so_far)
        self._progress.update(self._jobs[job.backend], visible=False)
        self._note()
        counts = ", ".join(f"{n} {status}" for status, n in statuses.items())
        well = set(statuses) == {"ok"}
        if not well or not is_live(self._console):
            colour = "green" if well else "yellow"
            because = f": {reason}" if reason else ""
            where = f"{self._ended}/{len(self._plan.jobs)}"
            self._say(f"{where} ", (_name(job), colour), f": {counts}{because}")

    def _note(self) -> None:
        self._progress.update(self._run, note=f"{self._ended} of {len(self._plan.jobs)} jobs")

    def _say(self, *parts: Part) -> None:
        self._console.print(styled(*parts), soft_wrap=True)


def _columns() -> Iterator[Any]:
    yield TextColumn("{task.description}", style="bold", markup=False)
    yield BarColumn(bar_width=24)
    yield TaskProgressColumn()
    yield TimeElapsedColumn()
    yield TimeRemainingColumn(compact=True)
    yield TextColumn("{task.fields[note]}", markup=False)


def _name(job: Job) -> str:
    lanes = f"{len(job.seeds)} lanes" if job.mode == "cohort" else "solo"
    return " ".join(part for part in (job.backend, job.recipe, job.case, f"({lanes})") if part)
