"""Makes the plan of a run: the rows promised, and the cohorts that train them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from manyseeds.backend.discovery import absence, backend_entries, backend_entry
from manyseeds.backend.settings import Device
from manyseeds.datasets import dataset
from manyseeds.errors import RequestError, unknown
from manyseeds.execution.memory import lanes_that_fit
from manyseeds.execution.request import Options
from manyseeds.ledger.plan import Job, Mode, Plan, Unsupported
from manyseeds.model.limits import MOST_ROWS
from manyseeds.processes.host import cores, free_memory
from manyseeds.suite.files import SuiteFile, suites_folder
from manyseeds.suite.recipe import Phase, Recipe, check_reuse
from manyseeds.suite.suite import Cell, Suite

MEMORY_SHARE = 0.7
"""The share of free memory that a cohort may need, by estimate."""


@dataclass(frozen=True)
class Planned:
    """A plan, and notices for a person about backends left out or cohorts split."""

    plan: Plan
    notices: tuple[str, ...]


def make_plan(file: SuiteFile, options: Options) -> Planned:
    """Return the plan of a suite: every row that a run promises.

    Raises
    ------
    RequestError
        An option, a recipe or a backend is unknown or does not fit the suite.
    """
    suite = file.suite
    cells = _chosen(suite, options.recipes)
    try:
        for cell in cells:
            _check_data(cell.recipe)
    except RequestError as error:
        raise RequestError(f"{file.path}: {error}") from None
    backends, notices = _chosen_backends(options.backends)
    unsupported = _unsupported(backends, cells)
    beside = min(options.beside, len(backends), cores())
    _check_rows(file, cells, options, len(backends))
    lanes, split = _lanes(suite, cells, options, _memory_budget(options, backends, beside))
    refused = {(entry.backend, entry.recipe) for entry in unsupported}
    drafts = [
        draft
        for backend in backends
        for draft in _jobs(suite, cells, options, backend, lanes)
        if (backend, draft[2].recipe.name) not in refused
    ]
    jobs = tuple(
        Job(id=i, backend=b, recipe=cell.recipe.name, case=cell.case, mode=mode, vary=v, seeds=s)
        for i, (b, mode, cell, v, s) in enumerate(drafts)
    )
    plan = Plan(
        run=_run_name(suite, file.quick),
        suite=suite.name,
        suite_file=_place(file.path),
        suite_text=file.text,
        suite_sha256=file.sha256,
        quick=file.quick,
        device=options.device,
        precision=options.precision,
        deterministic=options.deterministic,
        tf32=options.tf32,
        threads=options.threads or (cores() // beside if beside > 1 else None),
        beside=beside,
        primary=suite.primary,
        unsupported=unsupported,
        jobs=jobs,
    )
    return Planned(plan, (*notices, *split))


def _unsupported(backends: Sequence[str], cells: Sequence[Cell]) -> tuple[Unsupported, ...]:
    return tuple(
        Unsupported(backend=backend, recipe=cell.recipe.name, reason=reason)
        for backend in backends
        for cell in cells
        if (reason := backend_entry(backend).unsupported(cell.recipe))
    )


_Draft = tuple[str, Mode, Cell, str, tuple[int, ...]]


def _jobs(
    suite: Suite, cells: Sequence[Cell], options: Options, backend: str, lanes: int
) -> Iterator[_Draft]:
    """Yield one backend's jobs: the suite's rows, its variance study, and the solo rows last.

    Recipes follow each other within a set of seeds, so that shared phases are soon reused.
    """
    vary = "+".join(options.vary or suite.varied)
    seeds = range(options.seeds if options.seeds is not None else suite.seeds)
    for chunk in _chunks(seeds, lanes):
        for cell in cells:
            yield backend, "cohort", cell, vary, chunk
    if suite.variance and not options.vary:
        studied = [cell for cell in cells if cell.recipe.name in suite.variance.recipes]
        for stream in suite.variance.streams:
            if stream == vary:
                continue  # these are the suite's own rows
            for chunk in _chunks(range(min(suite.variance.seeds, len(seeds))), lanes):
                for cell in studied:
                    yield backend, "cohort", cell, stream, chunk
    for seed in range(suite.solo if options.solo is None else options.solo):
        for cell in cells:
            yield backend, "solo", cell, vary, (seed,)


def _check_rows(file: SuiteFile, cells: Sequence[Cell], options: Options, backends: int) -> None:
    """Raise a `RequestError` if the plan would promise more rows than a ledger is meant for."""
    suite = file.suite
    seeds = suite.seeds if options.seeds is None else options.seeds
    rows = len(cells) * (seeds + (suite.solo if options.solo is None else options.solo))
    if suite.variance and not options.vary:
        studied = [cell for cell in cells if cell.recipe.name in suite.variance.recipes]
        each = min(suite.variance.seeds, seeds)
        streams = [stream for stream in suite.variance.streams if (stream,) != suite.varied]
        rows += len(studied) * len(streams) * each
    if rows * backends > MOST_ROWS:
        raise RequestError(
            f"{file.path}: {rows * backends:,} trainings on {backends} backends; a plan "
            f"has at most {MOST_ROWS:,}: take fewer seeds, recipes (--recipe) or backends "
            "(--backend)"
        )


def _chunks(seeds: range, lanes: int) -> Iterator[tuple[int, ...]]:
    for start in range(0, len(seeds), lanes):
        yield tuple(seeds[start : start + lanes])


def _chosen(suite: Suite, recipes: Sequence[str]) -> tuple[Cell, ...]:
    for name in recipes:
        if name not in suite.recipes():
            raise RequestError(f"--recipe: {unknown('recipe', name, suite.recipes())}")
    return tuple(c for c in suite.cells if not recipes or c.recipe.name in recipes)


def _check_data(recipe: Recipe) -> None:
    """Raise a `RequestError` if a phase does not fit the data set that it is trained on."""
    for phase in recipe.phases:
        _check_output(phase)
        phase.network.check_skips(_features(phase))
    for before, phase in pairwise(recipe.phases):
        try:
            check_reuse(before, phase, (_features(before), _features(phase)))
        except ValueError as error:
            raise RequestError(f"recipe {recipe.name!r}: {error}") from None


def _features(phase: Phase) -> int:
    return dataset(phase.task.dataset).features


def _check_output(phase: Phase) -> None:
    """Raise a `RequestError` if the output layer does not fit the task's classes."""
    output, classes = phase.network.output, phase.task.classes
    count = len(dataset(phase.task.dataset).classes if classes is None else classes)
    place = f"phase {phase.name!r}: network {phase.network.name!r}"
    if output.activation.name == "softmax":
        if output.units < count:
            raise RequestError(
                f"{place} has {output.units} outputs for the {count} classes of task "
                f"{phase.task.name!r}: give the output one unit per class"
            )
    elif output.activation.name == "logistic" and count != 2:
        raise RequestError(
            f"{place} tells two classes apart, task {phase.task.name!r} has {count}: "
            "choose two classes, or use a softmax output"
        )


def _chosen_backends(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the backends to use, and a notice for each that is not installed.

    Only backends chosen by name have to be installed.
    """
    if names:
        return tuple(dict.fromkeys(backend_entry(name).name for name in names)), ()
    entries = backend_entries()
    absent = {name: absence(entry) for name, entry in entries.items()}
    present = tuple(name for name in entries if not absent[name])
    if not present:
        ways = "; ".join(entry.install for entry in entries.values())
        raise RequestError(f"no backend is installed. Install one with: {ways}")
    return present, tuple(
        f"backend {name!r} is left out: {reason}" for name, reason in absent.items() if reason
    )


def _lanes(
    suite: Suite, cells: Sequence[Cell], options: Options, budget: int
) -> tuple[int, tuple[str, ...]]:
    """Return the lanes of a cohort, and a notice if memory allows fewer than requested."""
    requested = options.lanes or suite.lanes
    fitting = min(
        lanes_that_fit(phase, options.precision, budget)
        for cell in cells
        for phase in cell.recipe.phases
    )
    if fitting < 1:
        raise RequestError(
            f"not even one lane fits into {budget / 2**30:.2f} GiB: free some memory, or raise "
            "--memory"
        )
    if fitting >= requested:
        return requested, ()
    return fitting, (
        f"cohorts are split: {requested} lanes would not fit into {budget / 2**30:.1f} GiB, "
        f"{fitting} do. The plan keeps this number.",
    )


def _memory_budget(options: Options, backends: Sequence[str], beside: int) -> int:
    """Return the bytes that a cohort may be estimated to need."""
    return options.memory or int(MEMORY_SHARE * _free_memory(backends, options.device) / beside)


def _free_memory(backends: Sequence[str], device: Device) -> int:
    """Return the free bytes of the devices that hold the lanes: the least over the backends."""
    on_accelerators = [backend_entry(name).free_memory(device) for name in backends]
    return min(free_memory() if free is None else free for free in on_accelerators)


def _place(path: Path) -> str:
    """Return the path where a resumed run finds the suite; for a bundled suite, its file name."""
    return path.name if path.parent == suites_folder() else str(path.resolve())


def _run_name(suite: Suite, quick: bool) -> str:
    form = "-quick" if quick else ""
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{suite.name}{form}-{now}-{secrets.token_hex(2)}"
