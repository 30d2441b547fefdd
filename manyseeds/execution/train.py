"""Trains suites, or continues a run, for the command line, the API and the gate."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Protocol

from manyseeds.datasets import TaskData
from manyseeds.errors import ManyseedsError, RequestError
from manyseeds.execution.dispatcher import Observer
from manyseeds.execution.planner import Planned, make_plan
from manyseeds.execution.request import Options, TrainingRequest
from manyseeds.execution.runner import check_unchanged, outstanding, run
from manyseeds.execution.workers import Workers
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.plan import Plan
from manyseeds.ledger.runs import open_run
from manyseeds.ledger.write_errors import resume_command
from manyseeds.model.names import check_distinct
from manyseeds.suite.files import find_suite, read_suite, suite_names, suite_text, suites_folder
from manyseeds.suite.recipe import Phase
from manyseeds.suite.suite import Suite


class Display(Protocol):
    """Shows a person the progress of training."""

    def notice(self, line: str) -> None:
        """Show a remark about a plan: a backend is left out, or cohorts are split."""

    def run(self, ledger: Ledger, done: frozenset[int]) -> AbstractContextManager[Observer]:
        """Show a run whose jobs `done` are already in its ledger."""


class InterruptedRunError(ManyseedsError):
    """A person stopped the run."""

    def __init__(self, ledger: Ledger) -> None:
        statuses = ledger.records()["status"].value_counts()
        recorded = int(statuses.sum() - statuses.get("missing", 0))
        super().__init__(
            f"stopped. {recorded} of {int(statuses.sum())} trainings are recorded in "
            f"{ledger.folder}. Continue with: {resume_command(ledger.folder)}"
        )


def train(request: TrainingRequest, display: Display) -> list[Ledger]:
    """Train suites, or continue a run, and return the ledgers.

    Raises
    ------
    RequestError
        A suite, an option or a data set is wrong or missing; nothing has been written. Or the run
        to continue was trained under other versions.
    InterruptedRunError
        A person stopped the training; the jobs that had ended are recorded.
    """
    targets = _targets(request, display)
    with closing(Workers()) as workers:
        for ledger in targets:
            _train(ledger, workers, request, display)
    return targets


def _targets(request: TrainingRequest, display: Display) -> list[Ledger]:
    if request.resume is not None:
        return [_resumed(request.resume, request.results)]
    # All suites are planned before the first run begins: a wrong one leaves no folder behind.
    names, data = _names(request), TaskData()
    plans = [_planned(name, request.options, request.quick, data) for name in names]
    try:
        check_distinct("suites", [planned.plan.suite for planned in plans])
    except ValueError as error:
        raise RequestError(f"{error}: name each once, one of each name") from None
    return [_begun(planned, request.results, display) for planned in plans]


def _names(request: TrainingRequest) -> Sequence[str]:
    if request.everything:
        return suite_names()
    if not request.suites:
        raise RequestError(
            f"no suite is named: give one of {', '.join(suite_names())}, or a TOML file"
        )
    for name in request.suites:
        find_suite(name)
    return request.suites


def _planned(name: str, options: Options, quick: bool, data: TaskData) -> Planned:
    file = read_suite(name, quick=quick)
    planned = make_plan(file, options)
    try:
        _load_data(file.suite, planned.plan, data)
    except RequestError as error:
        raise RequestError(f"{file.path}: {error}") from None
    return planned


def _load_data(suite: Suite, plan: Plan, data: TaskData) -> None:
    """Load every data set before anything is promised, so that a missing one is reported now.

    Also check what only the data can tell: whether phases are long enough.
    """
    recipes = {suite.recipe(job.recipe, job.case) for job in plan.jobs}
    for phase in {phase for recipe in recipes for phase in recipe.phases}:
        splits = data.splits(phase.task, plan.precision)
        _check_length(phase, phase.task.train or len(splits.train))


def _check_length(phase: Phase, examples: int) -> None:
    """Raise a `RequestError` if a phase is too short for its schedule."""
    steps, least = -(-examples // phase.batch) * phase.epochs, phase.schedule.least_steps()
    if 0 < steps < least:
        raise RequestError(
            f"phase {phase.name!r}: the schedule {phase.schedule.name!r} reaches its rate from "
            f"{least} steps on, and {phase.epochs} epochs of {examples} examples in batches of "
            f"{phase.batch} have {steps}: train for more epochs, or in smaller batches"
        )


def _begun(planned: Planned, results: Path, display: Display) -> Ledger:
    for notice in planned.notices:
        display.notice(notice)
    return Ledger.create(results, planned.plan)


def _resumed(name: str, results: Path) -> Ledger:
    ledger = open_run(name, results)
    text = _suite_now(ledger.plan)
    if text is not None:  # else the plan's text is all there is
        check_unchanged(ledger.plan, text)
    return ledger


def _suite_now(plan: Plan) -> str | None:
    """Return the text of a plan's suite as its file is now; None if there is no such file.

    The plan may be somebody else's: a path in it that is no suite on this machine is not read.
    """
    path = suites_folder() / plan.suite_file
    try:
        known = path.suffix == ".toml" and path.is_file()
    except OSError:
        return None
    return suite_text(path) if known else None


def _train(ledger: Ledger, workers: Workers, request: TrainingRequest, display: Display) -> None:
    waiting = {job.id for job in outstanding(ledger)}
    done = frozenset(job.id for job in ledger.plan.jobs) - waiting
    try:
        with display.run(ledger, done) as observer:
            run(
                ledger,
                observer,
                workers,
                timeout=request.timeout,
                other_versions=request.other_versions,
            )
    except KeyboardInterrupt:
        raise InterruptedRunError(ledger) from None
