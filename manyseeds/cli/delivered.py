"""The table at the end of `manyseeds run`: rows promised and rows delivered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from manyseeds.execution.program_count import most_programs
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.schemas import ROW_KEY
from manyseeds.ledger.write_errors import resume_command
from manyseeds.presentation.command_result import Outcome
from manyseeds.statistics.training_seconds import seconds_per_seed
from manyseeds.suite.suite import Suite

_COLUMNS = (
    *("run", "suite", "recipe", "case", "backend", "mode", "vary"),
    *("promised", "ok", "diverged", "failed", "timed_out", "missing"),
    *("test_accuracy", "sd", "seconds_per_seed"),
)

_SHOWN = tuple(name for name in _COLUMNS if name not in {"run", "suite", "timed_out"})


def delivered_table(targets: Sequence[Ledger]) -> Outcome:
    """Return the rows promised and delivered by recipe, backend and mode."""
    rows: list[tuple[Any, ...]] = []
    status, notes = 0, []
    for ledger in targets:
        records, suite = ledger.records(), ledger.suite
        rows += _delivered_rows(ledger, suite, records)
        if not ledger.complete():
            status = 1
            counts = records["status"].value_counts()
            counted = ", ".join(f"{count} {name}" for name, count in counts.items())
            remedy = (
                "Rows diverged although their recipe does not expect it: lower the rate, or set "
                "expect_divergence = true in the suite"
                if set(counts.index) <= {"ok", "diverged"}
                else f"Train the rest with: {resume_command(ledger.folder)}"
            )
            notes.append(f"{ledger.folder.name} is incomplete: {counted}. {remedy}")
        notes += _compiled(ledger, suite, records)
        notes += [
            f"{u.backend} cannot train {u.recipe}: {u.reason}" for u in ledger.plan.unsupported
        ]
    return Outcome("Delivered", _COLUMNS, tuple(rows), status, tuple(notes), _SHOWN)


def _compiled(ledger: Ledger, suite: Suite, records: pd.DataFrame) -> Iterator[str]:
    """Yield how many programs each backend compiled, and how many the suite needs at most."""
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
                _or_none(seconds_per_seed(ok).mean()),
            )
        )
    return rows


def _or_none(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
