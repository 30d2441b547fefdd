"""What the commands do, as functions that return an outcome to show, print as JSON, or use."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from manyseeds.backend import Device, backend_entries, missing_modules
from manyseeds.datasets import DATASETS, task_splits
from manyseeds.display import RunDisplay
from manyseeds.errors import ManyseedsError, RequestError, unknown
from manyseeds.ledger import ROW_KEY, Ledger, ledgers
from manyseeds.planner import Options, make_plan
from manyseeds.runner import check_unchanged, run
from manyseeds.suite import Suite
from manyseeds.suite_file import find_suite, parse_suite, read_suite, suite_names
from manyseeds.technique import technique_name, techniques


@dataclass(frozen=True)
class Outcome:
    """A table for people, the same as rows for programs, and an exit status."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    exit_status: int = 0
    notes: tuple[str, ...] = ()

    def show(self) -> None:
        """Print the table."""
        console = Console()
        table = Table(title=self.title, title_justify="left", header_style="bold")
        for index, column in enumerate(self.columns):
            number = any(isinstance(row[index], int | float) for row in self.rows)
            table.add_column(column, justify="right" if number else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*(_cell(value) for value in row))
        console.print(table)
        for note in self.notes:
            console.print(note, highlight=False, markup=False, soft_wrap=True)

    def as_json(self) -> dict[str, Any]:
        """Return title, rows by column and notes."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows, "notes": list(self.notes)}


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def run_suites(
    suites: Sequence[str],
    options: Options,
    *,
    quick: bool = False,
    results: Path = Path("results"),
    resume: str | None = None,
    timeout: float | None = None,
    console: Console | None = None,
) -> Outcome:
    """Train suites, or go on with a run, and return the table of what was delivered."""
    console = console or Console(stderr=True)
    if resume is not None:
        if suites:
            raise RequestError("--resume goes on with a run as planned: name no suite with it")
        targets = [_resumed(resume, results)]
    else:
        targets = [_begun(name, options, quick, results, console) for name in _named(suites)]
    for ledger in targets:
        _train(ledger, timeout, console)
    return _delivered(targets)


def _named(suites: Sequence[str]) -> Sequence[str]:
    if not suites:
        raise RequestError(f"which suite? Known: {', '.join(suite_names())}, or a TOML file")
    for name in suites:
        find_suite(name)
    return suites


def _begun(name: str, options: Options, quick: bool, results: Path, console: Console) -> Ledger:
    file = read_suite(name, quick=quick)
    planned = make_plan(file, options)
    _load_data(file.suite, options)
    for notice in planned.notices:
        console.print(f"[yellow]note[/]: {notice}", highlight=False)
    return Ledger.create(results, planned.plan)


def _load_data(suite: Suite, options: Options) -> None:
    """Load every data set once before anything is promised: what is absent is said now."""
    for task in {p.task for cell in suite.cells for p in cell.recipe.phases}:
        task_splits(task, options.precision)


def _resumed(name: str, results: Path) -> Ledger:
    ledger = Ledger.open(_run_folder(name, results))
    plan = ledger.plan
    try:
        path = find_suite(plan.suite)
    except RequestError:
        return ledger  # the suite was a file elsewhere: the plan's text is all there is
    check_unchanged(plan, path.read_text(encoding="utf-8"))
    return ledger


def _run_folder(name: str, results: Path) -> Path:
    for folder in (results / name, Path(name)):
        if (folder / "plan.json").is_file():
            return folder
    known = [path.parent.name for path in results.glob("*/plan.json")]
    raise RequestError(f"{results}: {unknown('run', name, known)}")


def _train(ledger: Ledger, timeout: float | None, console: Console) -> None:
    plan = ledger.plan
    suite = parse_suite(plan.suite_text, plan.suite_file, quick=plan.quick)
    delivered = ledger.delivered()
    done = delivered[delivered["status"].isin(["ok", "diverged"])]["job"].nunique()
    rows = len(list(plan.rows()))
    console.print(
        f"[bold]{suite.title}[/] · {ledger.folder} · {rows} trainings in {len(plan.jobs)} jobs",
        highlight=False,
    )
    try:
        with RunDisplay(plan, suite, done, console) as display:
            run(ledger, display, timeout=timeout)
    except KeyboardInterrupt:
        raise Interrupted(ledger) from None


class Interrupted(ManyseedsError):
    """A person stopped the run."""

    def __init__(self, ledger: Ledger) -> None:
        statuses = ledger.records()["status"].value_counts()
        kept = int(statuses.sum() - statuses.get("missing", 0))
        super().__init__(
            f"stopped. {kept} of {int(statuses.sum())} trainings are recorded in {ledger.folder}. "
            f"Go on with: manyseeds run --resume {ledger.folder.name} "
            f"--results {ledger.folder.parent}"
        )


_TABLE = ("run", "recipe", "case", "backend", "mode", "vary", "promised", "ok", "diverged")
_MEANS = ("test_accuracy", "sd")


def _delivered(targets: Sequence[Ledger]) -> Outcome:
    rows: list[tuple[Any, ...]] = []
    status, notes = 0, []
    for ledger in targets:
        records = ledger.records()
        rows += _delivered_rows(ledger, records)
        if not complete(ledger, records):
            status = 1
            counts = records["status"].value_counts().to_dict()
            notes.append(
                f"{ledger.folder.name} is incomplete: {counts}. "
                f"Train what is missing with --resume {ledger.folder.name}"
            )
        notes += [
            f"{u.backend} cannot train {u.recipe}: {u.reason}" for u in ledger.plan.unsupported
        ]
    columns = (*_TABLE, "failed", "missing", *_MEANS, "s/seed")
    return Outcome("Delivered", columns, tuple(rows), status, tuple(notes))


def _delivered_rows(ledger: Ledger, records: pd.DataFrame) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    groups = [name for name in ROW_KEY if name != "seed"]
    for cell, group in records.groupby(groups, sort=False):
        counts = group["status"].value_counts()
        ok = group[group["status"] == "ok"]
        seconds = (ok["seconds_train"] + ok["seconds_evaluate"] + ok["seconds_shared"]) / ok[
            "lanes"
        ]
        rows.append(
            (
                ledger.folder.name,
                *cell,
                len(group),
                *(int(counts.get(status, 0)) for status in ("ok", "diverged")),
                int(counts.get("failed", 0) + counts.get("timed_out", 0)),
                int(counts.get("missing", 0)),
                _or_none(ok["test_accuracy"].mean()),
                _or_none(ok["test_accuracy"].std()),
                _or_none(seconds.mean()),
            )
        )
    return rows


def _or_none(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def complete(ledger: Ledger, records: pd.DataFrame) -> bool:
    """Return whether every promised row is ok, or diverged where its recipe expects that."""
    plan = ledger.plan
    suite = parse_suite(plan.suite_text, plan.suite_file, quick=plan.quick)
    expected = {cell.recipe.name for cell in suite.cells if cell.recipe.expect_divergence}
    fine = (records["status"] == "ok") | (
        (records["status"] == "diverged") & records["recipe"].isin(expected)
    )
    return bool(fine.all())


def report_runs(
    runs: Sequence[str], *, results: Path = Path("results"), out: Path = Path("reports")
) -> Outcome:
    """Make the pages of these runs, or of all in a folder."""
    from manyseeds.report import render  # noqa: PLC0415  (matplotlib is slow to import)

    chosen = [Ledger.open(_run_folder(name, results)) for name in runs] or ledgers(results)
    if not chosen:
        raise RequestError(f"{results} holds no runs: make one with `manyseeds run`")
    pages = render(chosen, out)
    unfinished = [ledger for ledger in chosen if not complete(ledger, ledger.records())]
    notes = tuple(f"{ledger.folder.name} is incomplete" for ledger in unfinished)
    rows = tuple((str(page), page.stat().st_size) for page in pages)
    return Outcome("Report", ("file", "bytes"), rows, 1 if unfinished else 0, notes)


def check_parity(
    backends: Sequence[str],
    recipes: Sequence[str],
    steps: int = 60,
    mutations: bool = True,
    device: Device = "cpu",
) -> Outcome:
    """Compare the backends step by step in float64."""
    from manyseeds.conformance import parity_outcome  # noqa: PLC0415

    return parity_outcome(backends, recipes, steps=steps, mutations=mutations, device=device)


def listing(kind: str) -> Outcome:
    """List what there is of a kind."""
    return {
        "suites": _list_suites,
        "techniques": _list_techniques,
        "datasets": _list_datasets,
        "backends": _list_backends,
    }[kind]()


def _list_suites() -> Outcome:
    suites = [read_suite(name).suite for name in suite_names()]
    rows = tuple(
        (suite.name, suite.title, len(suite.recipes()), len(suite.cases()), suite.seeds)
        for suite in suites
    )
    return Outcome("Suites", ("name", "title", "recipes", "cases", "seeds"), rows)


def _list_techniques() -> Outcome:
    rows = tuple(
        (cls.kind, technique_name(cls), (cls.__doc__ or "").split("\n")[0], cls.source)
        for cls in techniques()
    )
    return Outcome("Techniques", ("kind", "name", "definition", "source"), rows)


def _list_datasets() -> Outcome:
    rows = tuple(
        (d.name, d.title, d.train, d.test, d.features, len(d.classes), d.had, d.licence)
        for d in DATASETS.values()
    )
    columns = ("name", "title", "train", "test", "features", "classes", "had", "licence")
    return Outcome("Datasets", columns, rows)


def _list_backends() -> Outcome:
    rows = []
    for name, entry in backend_entries().items():
        absent = missing_modules(entry)
        state = f"not installed: {entry.install}" if absent else "installed"
        rows.append((name, ", ".join(entry.requires), state))
    return Outcome("Backends", ("name", "requires", "state"), tuple(rows))


def examine() -> Outcome:
    """Look at everything a run needs."""
    rows: list[tuple[str, str, str]] = [
        ("python", "ok", sys.version.split()[0]),
        ("cores", "ok", str(os.cpu_count())),
    ]
    for name, entry in backend_entries().items():
        absent = missing_modules(entry)
        versions = ", ".join(f"{m} {_version(m)}" for m in entry.requires if m not in absent)
        rows.append((f"backend {name}", "absent" if absent else "ok", versions or entry.install))
    for name, described in DATASETS.items():
        try:
            described.load()
            rows.append((f"dataset {name}", "ok", described.had))
        except ManyseedsError as error:
            rows.append((f"dataset {name}", "absent", str(error)))
    usable = any(name.startswith("backend") and state == "ok" for name, state, _ in rows)
    return Outcome("Doctor", ("what", "state", "detail"), tuple(rows), 0 if usable else 1)


def _version(module: str) -> str:
    for package in (module, f"{module}-cpu"):
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return "?"
