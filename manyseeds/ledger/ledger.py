"""The ledger: plan, provenance, records, curves and diagnostics of one run, on disk.

    results/<run>/plan.json              every promised row; written before the first training
    results/<run>/provenance.json        versions, devices, data: one entry per session of the run
    results/<run>/records/*.parquet      one row per training, also of a failed one
    results/<run>/curves/*.parquet       one row per epoch of a training
    results/<run>/diagnostics/*.parquet  statistics of layers, for recipes with diagnostics
    results/<run>/checkpoints/*.npz      weights after shared phases; removed from a complete run

`manyseeds pack` makes one file of each kind, `records.parquet` and so on, of a complete run
(`manyseeds.ledger.packing`). Both forms are read.

Files are written under another name, flushed to disk and renamed, and never change afterwards.
Parquet pages carry checksums. A row that is trained again gets another record with a higher
`attempt`; the last attempt counts. A promised row without a record is read as `missing`: no row
ever disappears.

Only the files that the plan names are read (`manyseeds.ledger.contents`), and everything in them is
checked (`documents`, `parquet`, `table_checks`). Damage in a run is an error that names file, row
and column.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from manyseeds.errors import Notice, RequestError, RunError, explained
from manyseeds.ledger.atomic_write import write_atomically
from manyseeds.ledger.contents import job_file_name, stray_warning, strays
from manyseeds.ledger.documents import (
    MOST_PLAN_BYTES,
    plan_problems,
    read_plan,
    read_sessions,
)
from manyseeds.ledger.files import exists, own_folder, refuse_link
from manyseeds.ledger.parquet import write_rows
from manyseeds.ledger.plan import Plan
from manyseeds.ledger.planned_suite import planned_suite
from manyseeds.ledger.promises import promises
from manyseeds.ledger.schemas import RECORD_SCHEMA, ROW_KEY, SCHEMAS, Rows
from manyseeds.ledger.tables import Tables, packed_file
from manyseeds.ledger.write_errors import explained_writes, locked_for_writing, resume_command
from manyseeds.suite.suite import Suite


class Ledger:
    """The folder of one run, for reading and writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, results: Path, plan: Plan) -> Ledger:
        """Make the folder of a new run and write its plan.

        Raises
        ------
        RequestError
            The folder exists: two runs never share a folder. Or the plan is one that could not be
            read again: it has too many rows, or names that no file can have.
        RunError
            The folder cannot be written to.
        """
        text = plan.model_dump_json(indent=1).encode()
        for problem in plan_problems(plan):
            raise RequestError(f"suite {plan.suite!r} cannot be planned: {problem}")
        if len(text) > MOST_PLAN_BYTES:
            raise RequestError(
                f"suite {plan.suite!r} cannot be planned: its plan.json would have {len(text):,} "
                f"bytes, and {MOST_PLAN_BYTES:,} are the most. Train fewer --seeds, or more --lanes"
            )
        folder = results / plan.run
        with explained("write to", folder, "choose another --results folder"):
            results.mkdir(parents=True, exist_ok=True)
            try:
                folder.mkdir()
            except FileExistsError:
                raise RequestError(
                    f"{folder} exists already: a run never writes into another run's folder. "
                    f"Continue that run with: {resume_command(folder)}, or choose another "
                    "--results folder."
                ) from None
            with _removed_on_failure(folder):
                for name in ("records", "curves", "diagnostics", "checkpoints"):
                    (folder / name).mkdir()
                write_atomically(folder / "plan.json", text)
        return cls(folder)

    @classmethod
    def open(cls, folder: Path) -> Ledger:
        """Return the ledger in a run's folder.

        Raises
        ------
        RequestError
            The folder has no plan.
        RunError
            The plan is damaged.
        """
        ledger = cls(folder)
        stray = strays(folder, range(len(ledger.plan.jobs)))
        if line := stray_warning(folder, stray):
            warnings.warn(line, Notice, stacklevel=2)
        return ledger

    @cached_property
    def plan(self) -> Plan:
        """The run's plan, read once."""
        try:
            return read_plan(self.folder / "plan.json")
        except FileNotFoundError:
            raise RequestError(
                f"{self.folder} is not a run: it has no plan.json. A run is a folder that "
                "`manyseeds run` made in its --results folder."
            ) from None

    @cached_property
    def suite(self) -> Suite:
        """The run's suite, as it was when the run was planned; read once."""
        return planned_suite(self.plan)

    @cached_property
    def tables(self) -> Tables:
        """The tables in the run's folder."""
        try:
            suite = self.suite
        except RequestError:  # planned by another version: the records can be read nevertheless
            suite = None
        return Tables(self.folder, self.plan, promises(self.plan, suite))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Lock the run for writing.

        Raises
        ------
        RequestError
            Another process is writing to the run, or the lock belongs to somebody else.
        RunError
            The folder cannot be written to.
        """
        refuse_link(self.folder / ".lock")  # locking empties the file
        with locked_for_writing(self.folder):
            yield

    @property
    def provenance(self) -> list[dict[str, Any]]:
        """One entry for each session, that is each time the run was started or resumed."""
        return read_sessions(self.folder / "provenance.json")

    def write_provenance(self, sessions: Sequence[Mapping[str, Any]]) -> None:
        """Replace the provenance with these sessions."""
        text = json.dumps(list(sessions), indent=1, sort_keys=True)
        with explained_writes(self.folder):
            write_atomically(self.folder / "provenance.json", text.encode())

    def append(self, job: int, records: Rows, curves: Rows = (), diagnostics: Rows = ()) -> None:
        """Write a job's curves and diagnostics, then its records, which make the job delivered.

        Raises
        ------
        RunError
            They cannot be written, or there is a record of this attempt: it is never replaced.
        """
        name = job_file_name(job, records[0]["attempt"])
        record = self.folder / "records" / name
        packed = packed_file(self.folder, "records")
        if taken := [path for path in (packed, record) if exists(path)]:
            raise RunError(f"{taken[0]} exists already, and a record is never replaced")
        with explained_writes(self.folder):
            # Older runs, and copies made without empty folders, lack some of the folders.
            folders = {kind: own_folder(self.folder / kind) for kind in SCHEMAS}
            if curves:
                write_rows(folders["curves"] / name, curves, "curves")
            if diagnostics:
                write_rows(folders["diagnostics"] / name, diagnostics, "diagnostics")
            write_rows(record, records, "records", once=True)

    def attempts(self) -> Counter[int]:
        """Return the last attempt at each job that anything in the run's folder is of."""
        delivered = self.tables.frame("records")
        made = [*zip(delivered["job"], delivered["attempt"], strict=True)]
        made += [file[:2] for kind in SCHEMAS for file in self.tables.job_files(kind)]
        last: Counter[int] = Counter()
        for job, attempt in made:
            last[int(job)] = max(last[int(job)], int(attempt))
        return last

    def own_folder(self, name: str) -> Path:
        """Return a folder inside the run's folder, made if it is absent.

        Raises
        ------
        RunError
            It cannot be made, or is a link out of the run's folder.
        """
        with explained_writes(self.folder):
            return own_folder(self.folder / name)

    def delivered(self) -> pd.DataFrame:
        """Return the last attempt of every row that has a record, in the plan's order."""
        return _last_attempts(self.tables.frame("records"))

    def records(self) -> pd.DataFrame:
        """Return every promised row, in the plan's order; a row without a record is `missing`.

        Raises
        ------
        RunError
            A table is damaged, or has rows that the plan does not promise.
        """
        promised = pd.DataFrame(self.plan.rows(), columns=ROW_KEY)
        records = promised.merge(self.delivered(), on=ROW_KEY, how="left")
        del promised  # of a million rows, each is a third of a gigabyte
        records["suite"] = self.plan.suite
        records["status"] = records["status"].fillna("missing")
        columns: list[str] = list(RECORD_SCHEMA.names)
        ordered: pd.DataFrame = records[columns]
        return ordered

    def curves(self) -> pd.DataFrame:
        """Return the curves of each row's last attempt."""
        return self._of_last_attempts(self.tables.frame("curves"))

    def diagnostics(self) -> pd.DataFrame:
        """Return the diagnostics of each row's last attempt."""
        return self._of_last_attempts(self.tables.frame("diagnostics"))

    def complete(self) -> bool:
        """Return whether every promised row is ok, or has diverged and its recipe expects that."""
        records = self.records()
        expected = {cell.recipe.name for cell in self.suite.cells if cell.recipe.expect_divergence}
        as_expected = (records["status"] == "ok") | (
            (records["status"] == "diverged") & records["recipe"].isin(expected)
        )
        return bool(as_expected.all())

    def _of_last_attempts(self, rows: pd.DataFrame) -> pd.DataFrame:
        last = self.delivered()[[*ROW_KEY, "attempt"]]
        return rows.merge(last, on=[*ROW_KEY, "attempt"]).reset_index(drop=True)


def _last_attempts(records: pd.DataFrame) -> pd.DataFrame:
    if not records.duplicated(ROW_KEY).any():
        return records.reset_index(drop=True)
    last = records.sort_values("attempt", kind="stable").drop_duplicates(ROW_KEY, keep="last")
    return last.sort_index().reset_index(drop=True)


@contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    """Remove a folder that was made just now if it cannot be filled."""
    try:
        yield
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
