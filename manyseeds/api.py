"""The commands as functions that return pandas frames: what `import manyseeds` offers.

Folders and files may be texts or paths. Runs are named as on the command line: by the run's name or
folder, by the start of its name, or by the suite's name, which stands for all runs of the suite.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack, get_args

import pandas as pd

from manyseeds.backend.settings import Device, Precision
from manyseeds.cli import inventory
from manyseeds.errors import Notice, RequestError, unknown
from manyseeds.execution.request import Options, TrainingRequest
from manyseeds.execution.train import train
from manyseeds.ledger.copies import others_named
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.runs import chosen_ledgers
from manyseeds.presentation.command_result import Outcome
from manyseeds.presentation.run_display import TerminalDisplay
from manyseeds.randomness.streams import Stream
from manyseeds.statistics.scores import RowKind, row_kinds

PathText = str | os.PathLike[str]
"""A path, or the text of one."""

RESULTS = "results"


class TrainingOptions(TypedDict, total=False):
    """The options of `run`, as keywords; one that is left out is the suite's choice.

    Attributes
    ----------
    seeds, lanes, solo
        How many seeds; how many of them train together as one program; how many also train alone.
    backends, recipes
        Names; all that are installed, and all of the suite, if left out.
    vary
        The streams that a seed drives; those of the suite, and its variance study, if left out.
    device, precision
        "cpu" or "cuda"; "float32" or "float64".
    deterministic, tf32
        Whether only deterministic algorithms run (yes, if left out); whether TF32 is allowed (no).
    threads
        CPU threads of each backend; all cores, or its share of them, if left out.
    beside
        How many backends train at once, each on its share of the cores; 1 if left out.
    memory
        Bytes that a cohort may take; a share of what is free, if left out.
    """

    seeds: int | None
    lanes: int | None
    solo: int | None
    backends: str | Sequence[str]
    recipes: str | Sequence[str]
    vary: Stream | Sequence[Stream]
    device: Device
    precision: Precision
    deterministic: bool
    tf32: bool
    threads: int | None
    beside: int
    memory: int | None


def run(
    *suites: str,
    everything: bool = False,
    quick: bool = False,
    results: PathText = RESULTS,
    resume: str | None = None,
    other_versions: bool = False,
    timeout: float | None = None,
    **options: Unpack[TrainingOptions],
) -> pd.DataFrame:
    """Train suites, or continue a run, and return the records: a row per promised training.

    `run("initialisation", quick=True, seeds=10, backends=["jax"])` trains ten seeds on JAX. The
    records have the columns of `records`, and rows of every kind.

    Parameters
    ----------
    suites
        Names, or paths of TOML files.
    everything
        Train all bundled suites, instead of `suites`.
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
        Seeds, lanes, backends, device and so on: see `TrainingOptions`.
    """
    request = TrainingRequest(
        suites=tuple(map(os.fspath, suites)),
        everything=everything,
        quick=quick,
        results=Path(results),
        resume=resume,
        other_versions=other_versions,
        timeout=timeout,
        options=_options(options),
    )
    return _joined(train(request, TerminalDisplay()), Ledger.records, kind=None)


def _options(options: TrainingOptions) -> Options:
    """Return the options of a training; the name of one may stand for a list of names."""
    given: dict[str, Any] = dict(options)
    known = list(TrainingOptions.__annotations__)
    for name in given:
        if name not in known:
            raise TypeError(f"run(): {unknown('option', name, known)}")
    lists = ("backends", "recipes", "vary")
    names: dict[str, Any] = {name: _names(given[name]) for name in lists if name in given}
    return Options(**{**given, **names})


def records(
    *runs: str, kind: RowKind | None = "ordinary", results: PathText = RESULTS
) -> pd.DataFrame:
    """Return the records of some runs, or of all in a folder: a row per promised training.

    The columns are those of `manyseeds.ledger.schemas.RECORD_SCHEMA`, then `run` and `kind`. In
    ordinary rows every stream that the suite varies follows the seed: claims are about them. Solo
    rows are the same trainings, alone, for their seconds. Rows of the variance study vary a single
    stream, that in `vary`. To average over several kinds would count seeds twice.

    Parameters
    ----------
    runs
        Names of runs or suites; all runs in `results` if none.
    kind
        "ordinary", "solo" or "variance"; None returns rows of every kind.
    results
        Folder of the runs.
    """
    return _joined(chosen_ledgers(runs, Path(results)), Ledger.records, kind)


def curves(
    *runs: str, kind: RowKind | None = "ordinary", results: PathText = RESULTS
) -> pd.DataFrame:
    """Return the learning curves of some runs, or of all in a folder: a row per epoch.

    The columns are those of `manyseeds.ledger.schemas.CURVE_SCHEMA`, then `run` and `kind`, which
    are chosen as in `records`.
    """
    return _joined(chosen_ledgers(runs, Path(results)), Ledger.curves, kind)


def summary(*runs: str, results: PathText = RESULTS) -> pd.DataFrame:
    """Return counts, accuracies and seconds by recipe and backend, as in the report."""
    from manyseeds.report import summary_table

    return summary_table(chosen_ledgers(runs, Path(results)))


def claims(*runs: str, results: PathText = RESULTS) -> pd.DataFrame:
    """Return the verdict on every claim, by backend and over all, as in the report."""
    from manyseeds.report import claims_table

    return claims_table(chosen_ledgers(runs, Path(results)))


def variance(*runs: str, results: PathText = RESULTS) -> pd.DataFrame:
    """Return the standard deviation caused by each stream alone, as in the report."""
    from manyseeds.report import variance_table

    return variance_table(chosen_ledgers(runs, Path(results)))


def render_report(
    *runs: str,
    results: PathText = RESULTS,
    out: PathText = "reports",
    formats: str | Sequence[str] = ("html", "md", "csv"),
    parity: PathText | None = None,
) -> list[Path]:
    """Render the report and return its pages; `formats` and `parity` as in `manyseeds report`."""
    from manyseeds.report import read_parity
    from manyseeds.report.isolated import render_apart

    matrix = None if parity is None else read_parity(Path(parity))
    chosen = chosen_ledgers(runs, Path(results))
    report = render_apart(chosen, Path(out), _names(formats), matrix)
    for note in report.notes:
        warnings.warn(note, Notice, stacklevel=2)
    return list(report.pages)


def parity(
    backends: str | Sequence[str] = (),
    recipes: str | Sequence[str] = (),
    *,
    steps: int = 60,
    mutations: bool = True,
    device: Device = "cpu",
) -> pd.DataFrame:
    """Compare backends step by step in float64: a row per technique, backend and check."""
    from manyseeds.conformance import parity_report

    report = parity_report(
        _names(backends), _names(recipes), steps=steps, mutations=mutations, device=device
    )
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
    results: PathText = RESULTS,
) -> pd.DataFrame:
    """Return how many seeds a suite's claims need to detect an improvement; see `plan_seeds`."""
    from manyseeds.cli.seed_planning import plan_seeds

    planned = plan_seeds(suite, detect, quick=quick, sd=sd, power=power, results=Path(results))
    return _frame(planned)


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


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    """Return names as a tuple: a single one may stand for itself."""
    return (names,) if isinstance(names, str) else tuple(names)


def _joined(
    ledgers: Sequence[Ledger], read: Callable[[Ledger], pd.DataFrame], kind: RowKind | None
) -> pd.DataFrame:
    """Return a table of several ledgers, with columns for run and kind, and rows of one kind."""
    kinds = get_args(RowKind)
    if kind is not None and kind not in kinds:
        raise RequestError(f"{unknown('kind of rows', kind, kinds)}, or None for all")
    parts = []
    with others_named([ledger.folder for ledger in ledgers]):
        for ledger in ledgers:
            rows = read(ledger)
            parts.append(rows.assign(run=ledger.folder.name, kind=row_kinds(rows, ledger.suite)))
    table = pd.concat(parts, ignore_index=True)
    if kind is None:
        return table
    chosen = table[table["kind"] == kind].reset_index(drop=True)
    if chosen.empty and len(table):
        there = ", ".join(sorted(table["kind"].unique()))
        raise RequestError(
            f"these runs have no rows of the kind {kind!r}, only {there}: choose another kind, or "
            "None for all"
        )
    return chosen


def _frame(outcome: Outcome) -> pd.DataFrame:
    return pd.DataFrame(outcome.rows, columns=list(outcome.columns))
