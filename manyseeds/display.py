"""What a person sees while a run goes on: bars with time left, and a line for what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from manyseeds.plan import Job, Plan
from manyseeds.suite import Suite
from manyseeds.training import Progress as EpochProgress


class RunDisplay:
    """Progress bars on the standard error stream: the run's trainings, and the job's epochs.

    The run's bar counts lane-epochs, so that its time left is not fooled by short recipes.
    """

    def __init__(self, plan: Plan, suite: Suite, done: int, console: Console) -> None:
        self._suite = suite
        self._console = console
        self._progress = Progress(
            TextColumn("[bold]{task.description}", justify="left"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        jobs = len(plan.jobs)
        self._run = self._progress.add_task("jobs", total=jobs, completed=done, note="")
        self._job = self._progress.add_task("epochs", total=None, note="", visible=False)

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
        """Say what a backend runs on."""
        versions = ", ".join(f"{n} {v}" for n, v in environment["versions"].items())
        self._console.print(
            f"[bold]{backend}[/]: {environment['device_name']}, "
            f"{environment['threads']} threads ({versions})",
            highlight=False,
        )

    def started(self, job: Job) -> None:
        """Show which job is on."""
        recipe = self._suite.recipe(job.recipe, job.case)
        epochs = sum(phase.epochs for phase in recipe.phases)
        lanes = f"{len(job.seeds)} lanes" if job.mode == "cohort" else "solo"
        name = f"{job.recipe} {job.case}".strip()
        self._progress.reset(
            self._job, total=epochs, visible=True, note="", description=f"{job.backend} {name}"
        )
        self._progress.update(self._run, note=lanes)

    def epoch(self, job: Job, progress: EpochProgress) -> None:
        """Move on by an epoch."""
        accuracy = progress.valid_accuracy
        note = progress.phase
        if accuracy is not None:
            note += f"  valid. accuracy {100 * accuracy:.2f} %"
        self._progress.update(self._job, advance=1, note=note)

    def ended(self, job: Job, statuses: Mapping[str, int], reason: str) -> None:
        """Move on by a job, with a line if not all is well."""
        self._progress.update(self._run, advance=1)
        bad = {status: n for status, n in statuses.items() if status != "ok"}
        if bad:
            what = ", ".join(f"{n} {status}" for status, n in bad.items())
            self._console.print(
                f"[yellow]{job.backend} {job.recipe}[/]: {what}: {reason}", highlight=False
            )
