"""The commands as functions that return pandas frames: what `import manyseeds` offers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from manyseeds.backend.settings import Device
from manyseeds.cli import inventory
from manyseeds.execution.request import Options, TrainingRequest
from manyseeds.execution.train import train
from manyseeds.ledger.copies import others_named
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.runs import chosen_ledgers
from manyseeds.presentation.command_result import Outcome
from manyseeds.presentation.run_display import TerminalDisplay

RESULTS = Path("results")


def run(
    *suites: str,
    quick: bool = False,
    results: Path = RESULTS,
    resume: str | None = None,
    other_versions: bool = False,
    timeout: float | None = None,
    options: Options | None = None,
) -> pd.DataFrame:
    """Train suites, or continue a run, and return the records: a row per promised training.

    Parameters
    ----------
    suites
        Names, or paths of TOML files.
    quick
        Train the quick form, on embedded data.
    results
        Folder in which each run gets a folder.
    resume
        A run to continue, instead of suites.
    other_versions
        Continue it also under other versions of its frameworks.
    timeout
        Seconds without an epoch after which a job is abandoned.
    options
        Seeds, lanes, backends, device and so on: see `Options`.
    """
    request = TrainingRequest(
        suites=suites,
        quick=quick,
        results=results,
        resume=resume,
        other_versions=other_versions,
        timeout=timeout,
        options=options or Options(),
    )
    targets = train(request, TerminalDisplay())
    return pd.concat([_records(ledger) for ledger in targets], ignore_index=True)


def records(*runs: str, results: Path = RESULTS) -> pd.DataFrame:
    """Return the records of some runs, or of all in a folder: a row per promised training."""
    chosen = chosen_ledgers(runs, results)
    with others_named([ledger.folder for ledger in chosen]):
        return pd.concat([_records(ledger) for ledger in chosen], ignore_index=True)


def curves(*runs: str, results: Path = RESULTS) -> pd.DataFrame:
    """Return the learning curves of some runs, or of all in a folder: a row per epoch."""
    chosen = chosen_ledgers(runs, results)
    with others_named([ledger.folder for ledger in chosen]):
        frames = [ledger.curves().assign(run=ledger.folder.name) for ledger in chosen]
    return pd.concat(frames, ignore_index=True)


def summary(*runs: str, results: Path = RESULTS) -> pd.DataFrame:
    """Return counts, accuracies and seconds by recipe and backend, as in the report."""
    from manyseeds.report import summary_table

    return summary_table(chosen_ledgers(runs, results))


def claims(*runs: str, results: Path = RESULTS) -> pd.DataFrame:
    """Return the verdict on every claim, by backend and over all, as in the report."""
    from manyseeds.report import claims_table

    return claims_table(chosen_ledgers(runs, results))


def variance(*runs: str, results: Path = RESULTS) -> pd.DataFrame:
    """Return the standard deviation caused by each stream alone, as in the report."""
    from manyseeds.report import variance_table

    return variance_table(chosen_ledgers(runs, results))


def render_report(
    *runs: str,
    results: Path = RESULTS,
    out: Path = Path("reports"),
    formats: Sequence[str] = ("html", "md", "csv"),
) -> list[Path]:
    """Render the report and return its pages; `formats` as in `report --format`."""
    from manyseeds.report.isolated import render_apart

    return render_apart(chosen_ledgers(runs, results), out, formats)


def parity(
    backends: Sequence[str] = (),
    recipes: Sequence[str] = (),
    *,
    steps: int = 60,
    mutations: bool = True,
    device: Device = "cpu",
) -> pd.DataFrame:
    """Compare backends step by step in float64: a row per technique, backend and check."""
    from manyseeds.conformance import parity_report

    report = parity_report(backends, recipes, steps=steps, mutations=mutations, device=device)
    rows = [
        (cell.kind, cell.technique, cell.backend, cell.state, cell.reason, check, error)
        for cell in report.cells
        for check, error in cell.errors.items() or [(None, None)]
    ]
    columns = ["kind", "technique", "backend", "state", "reason", "check", "error"]
    return pd.DataFrame(rows, columns=columns)


def detection(
    suite: str,
    detect: float,
    *,
    quick: bool = False,
    sd: float | None = None,
    power: float = 0.8,
    results: Path = RESULTS,
) -> pd.DataFrame:
    """Return how many seeds a suite's claims need to detect an improvement; see `plan_seeds`."""
    from manyseeds.cli.seed_planning import plan_seeds

    return _frame(plan_seeds(suite, detect, quick=quick, sd=sd, power=power, results=results))


def list_suites() -> pd.DataFrame:
    """Return the bundled suites."""
    return _frame(inventory.listing("suites"))


def list_techniques() -> pd.DataFrame:
    """Return every technique with its definition and source."""
    return _frame(inventory.listing("techniques"))


def list_datasets() -> pd.DataFrame:
    """Return the data sets and how to obtain each."""
    return _frame(inventory.listing("datasets"))


def list_backends() -> pd.DataFrame:
    """Return the backends and whether they are installed."""
    return _frame(inventory.listing("backends"))


def _records(ledger: Ledger) -> pd.DataFrame:
    return ledger.records().assign(run=ledger.folder.name)


def _frame(outcome: Outcome) -> pd.DataFrame:
    return pd.DataFrame(outcome.rows, columns=list(outcome.columns))
