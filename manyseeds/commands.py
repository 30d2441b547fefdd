"""What the commands do, as functions that return an outcome to show, print as JSON, or use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from manyseeds.datasets import task_splits
from manyseeds.display import RunDisplay
from manyseeds.errors import ManyseedsError, RequestError, unknown
from manyseeds.ledger import ROW_KEY, Ledger, ledgers
from manyseeds.outcome import Outcome
from manyseeds.plan import Plan
from manyseeds.planner import Options, Planned, make_plan
from manyseeds.processes import Workers
from manyseeds.programs import most_programs
from manyseeds.runner import check_unchanged, outstanding, run
from manyseeds.suite import Suite
from manyseeds.suite_file import find_suite, planned_suite, read_suite, suite_names, suites_folder


def run_suites(suites: Sequence[str], options: Options, **how: Any) -> Outcome:
    """Train suites as `train` does, and return the table of what was delivered."""
    return _delivered(train(suites, options, **how))


def train(
    suites: Sequence[str],
    options: Options,
    *,
    quick: bool = False,
    results: Path = Path("results"),
    resume: str | None = None,
    everything: bool = False,
    timeout: float | None = None,
) -> list[Ledger]:
    """Train suites, or go on with a run, and return their ledgers.

    Parameters
    ----------
    suites
        Names, or paths of TOML files.
    options
        What is asked for beside the suite.
    quick
        The suites' quick forms.
    results
        Folder the runs get their folders in.
    resume
        A run to go on with as planned, instead of suites.
    everything
        All suites that come along.
    timeout
        Seconds without an epoch after which a job is given up.
    """
    console = Console(stderr=True)
    if timeout is not None and not timeout > 0:
        raise RequestError(f"--timeout {timeout:g}: expected more than 0 seconds")
    if resume is not None:
        if suites or everything or quick or options != Options():
            raise RequestError(
                "--resume goes on with a run as planned: name no suite with it, and no option "
                "but --timeout, --results and --json"
            )
        targets = [_resumed(resume, results)]
    else:
        # All of them are planned before the first is begun: a wrong one leaves no folder behind.
        planned = [_planned(name, options, quick) for name in _named(suites, everything)]
        targets = [_begun(each, results, console) for each in planned]
    with closing(Workers()) as workers:
        for ledger in targets:
            _train(ledger, workers, timeout, console)
    return targets


def _named(suites: Sequence[str], everything: bool) -> Sequence[str]:
    if everything:
        if suites:
            raise RequestError("--all takes every suite: name none with it")
        return suite_names()
    if not suites:
        raise RequestError(f"which suite? Known: {', '.join(suite_names())}, or a TOML file")
    for name in suites:
        find_suite(name)
    return suites


def _planned(name: str, options: Options, quick: bool) -> Planned:
    file = read_suite(name, quick=quick)
    planned = make_plan(file, options)
    _load_data(file.suite, planned.plan)
    return planned


def _begun(planned: Planned, results: Path, console: Console) -> Ledger:
    for notice in planned.notices:
        console.print(f"[yellow]note[/]: {notice}", highlight=False)
    return Ledger.create(results, planned.plan)


def _load_data(suite: Suite, plan: Plan) -> None:
    """Load every data set once before anything is promised: what is absent is said now."""
    recipes = {suite.recipe(job.recipe, job.case) for job in plan.jobs}
    for task in {phase.task for recipe in recipes for phase in recipe.phases}:
        task_splits(task, plan.precision)


def _resumed(name: str, results: Path) -> Ledger:
    ledger = Ledger.open(_run_folder(name, results))
    plan = ledger.plan
    path = suites_folder() / plan.suite_file
    if path.is_file():  # else the plan's text is all there is
        check_unchanged(plan, path.read_text(encoding="utf-8"))
    return ledger


def _run_folder(name: str, results: Path) -> Path:
    for folder in (results / name, Path(name)):
        if (folder / "plan.json").is_file():
            return folder
    known = [path.parent.name for path in results.glob("*/plan.json")]
    raise RequestError(f"{results}: {unknown('run', name, known)}")


def _train(ledger: Ledger, workers: Workers, timeout: float | None, console: Console) -> None:
    plan = ledger.plan
    suite = planned_suite(ledger.plan)
    done = frozenset(job.id for job in plan.jobs) - {job.id for job in outstanding(ledger)}
    rows = len(list(plan.rows()))
    console.print(
        f"[bold]{suite.title}[/] · {ledger.folder} · {rows} trainings in {len(plan.jobs)} jobs",
        highlight=False,
        soft_wrap=True,
    )
    try:
        with RunDisplay(plan, suite, done, console) as display:
            run(ledger, display, workers, timeout=timeout)
    except KeyboardInterrupt:
        raise InterruptedRunError(ledger) from None


class InterruptedRunError(ManyseedsError):
    """A person stopped the run."""

    def __init__(self, ledger: Ledger) -> None:
        statuses = ledger.records()["status"].value_counts()
        kept = int(statuses.sum() - statuses.get("missing", 0))
        super().__init__(
            f"stopped. {kept} of {int(statuses.sum())} trainings are recorded in {ledger.folder}. "
            f"Go on with: manyseeds run --resume {ledger.folder.name} "
            f"--results {ledger.folder.parent}"
        )


_COLUMNS = (
    *("run", "suite", "recipe", "case", "backend", "mode", "vary"),
    *("promised", "ok", "diverged", "failed", "timed_out", "missing"),
    *("test_accuracy", "sd", "seconds_per_seed"),
)
_SHOWN = tuple(name for name in _COLUMNS if name not in {"run", "suite", "timed_out"})


def _delivered(targets: Sequence[Ledger]) -> Outcome:
    rows: list[tuple[Any, ...]] = []
    status, notes = 0, []
    for ledger in targets:
        records, suite = ledger.records(), planned_suite(ledger.plan)
        rows += _delivered_rows(ledger, suite, records)
        if not complete(suite, records):
            status = 1
            counts = records["status"].value_counts()
            found = ", ".join(f"{count} {name}" for name, count in counts.items())
            remedy = (
                "A recipe whose rows diverged does not expect it: lower its rate, or give it "
                "expect_divergence = true in the suite"
                if set(counts.index) <= {"ok", "diverged"}
                else f"Train the rest with: manyseeds run --resume {ledger.folder.name}"
            )
            notes.append(f"{ledger.folder.name} is incomplete: {found}. {remedy}")
        notes += _compiled(ledger, suite, records)
        notes += [
            f"{u.backend} cannot train {u.recipe}: {u.reason}" for u in ledger.plan.unsupported
        ]
    return Outcome("Delivered", _COLUMNS, tuple(rows), status, tuple(notes), _SHOWN)


def _compiled(ledger: Ledger, suite: Suite, records: pd.DataFrame) -> Iterator[str]:
    """Say how many programs each backend compiled, of how many the suite may need."""
    jobs = records.dropna(subset=["compilations"]).drop_duplicates("job")
    for backend, rows in jobs.groupby("backend", sort=False):
        programs, seconds = int(rows["compilations"].sum()), rows["seconds_compile"].sum()
        most = most_programs(suite, (j for j in ledger.plan.jobs if j.backend == backend))
        if programs:
            yield (
                f"{ledger.plan.suite} on {backend}: {programs} programs compiled, of {most} at "
                f"most, in {seconds:.1f} s"
            )


def _delivered_rows(ledger: Ledger, suite: Suite, records: pd.DataFrame) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    every = "+".join(suite.varied)
    groups = [name for name in ROW_KEY if name != "seed"]
    for cell, group in records.groupby(groups, sort=False):
        counts = group["status"].value_counts()
        ok = group[group["status"] == "ok"]
        seconds = ok[["seconds_train", "seconds_evaluate", "seconds_shared"]].sum(axis=1)
        *names, vary = cell
        rows.append(
            (
                ledger.folder.name,
                ledger.plan.suite,
                *names,
                "all" if vary == every else vary,
                len(group),
                *(int(counts.get(name, 0)) for name in _COLUMNS[8:13]),
                _or_none(ok["test_accuracy"].mean()),
                _or_none(ok["test_accuracy"].std()),
                _or_none((seconds / ok["lanes"]).mean()),
            )
        )
    return rows


def _or_none(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def complete(suite: Suite, records: pd.DataFrame) -> bool:
    """Return whether every promised row is ok, or diverged where its recipe expects that."""
    expected = {cell.recipe.name for cell in suite.cells if cell.recipe.expect_divergence}
    fine = (records["status"] == "ok") | (
        (records["status"] == "diverged") & records["recipe"].isin(expected)
    )
    return bool(fine.all())


def report_runs(
    runs: Sequence[str],
    *,
    results: Path = Path("results"),
    out: Path = Path("reports"),
    formats: Sequence[str] = (),
    parity: Path | None = None,
) -> Outcome:
    """Make the report of these runs, or of all in a folder.

    Parameters
    ----------
    runs, results
        Runs by name or folder; all in `results` if none.
    out
        Folder of the report.
    formats
        What to write: "html", "md", "csv", "latex"; none means what `render` writes unasked.
    parity
        JSON of `manyseeds parity --json`, for the page of the techniques.
    """
    from manyseeds.report import DEFAULT_FORMATS, claims_table, read_parity, render

    chosen = chosen_ledgers(runs, results)
    found_parity = read_parity(parity) if parity else None
    pages = render(chosen, out, formats or DEFAULT_FORMATS, found_parity)
    unfinished = [
        ledger for ledger in chosen if not complete(planned_suite(ledger.plan), ledger.records())
    ]
    found = claims_table(chosen)
    columns = (
        "suite",
        "claim",
        "case",
        "backend",
        "pairs",
        "improvement",
        "low",
        "high",
        "family_low",
        "family_high",
        "verdict",
    )
    rows = tuple(
        tuple(_plain(value) for value in row)
        for row in found[list(columns)].itertuples(index=False, name=None)
    )
    notes = [f"{ledger.folder.name} is incomplete" for ledger in unfinished]
    notes += [f"written: {page}" for page in pages] or [f"written: tables in {out}"]
    return Outcome("Claims", columns, rows, 1 if unfinished else 0, tuple(notes))


def _plain(value: Any) -> Any:
    """Return a frame's value as JSON has it: no NaN, no NumPy."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def chosen_ledgers(runs: Sequence[str], results: Path) -> list[Ledger]:
    """Return the ledgers of runs, by name or folder, or of all in a folder."""
    chosen = [Ledger.open(_run_folder(name, results)) for name in runs] or ledgers(results)
    if not chosen:
        raise RequestError(f"{results} holds no runs: make one with `manyseeds run`")
    return chosen
