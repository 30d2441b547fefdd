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
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from manyseeds.errors import RequestError, RunError, explained
from manyseeds.ledger.atomic_write import write_atomically
from manyseeds.ledger.plan import Plan
from manyseeds.ledger.planned_suite import planned_suite
from manyseeds.ledger.schemas import RECORD_SCHEMA, ROW_KEY, Rows
from manyseeds.ledger.tables import Tables, write_rows
from manyseeds.ledger.write_errors import explained_writes, locked_for_writing, resume_command
from manyseeds.suite.suite import Suite


class Ledger:
    """The folder of one run, for reading and writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables = Tables(folder)

    @classmethod
    def create(cls, results: Path, plan: Plan) -> Ledger:
        """Make the folder of a new run and write its plan.

        Raises
        ------
        RequestError
            The folder exists: two runs never share a folder.
        RunError
            The folder cannot be written to.
        """
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
                write_atomically(folder / "plan.json", plan.model_dump_json(indent=1).encode())
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
        with explained("read", folder):
            is_run = (folder / "plan.json").is_file()
        if not is_run:
            raise RequestError(
                f"{folder} is not a run: it has no plan.json. A run is a folder that "
                "`manyseeds run` made in its --results folder."
            )
        ledger = cls(folder)
        ledger.plan  # noqa: B018  (a damaged plan is refused here, not later)
        return ledger

    @cached_property
    def plan(self) -> Plan:
        """The run's plan, read once."""
        path = self.folder / "plan.json"
        try:
            with explained("read", path):
                return Plan.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise RunError(f"{path} is damaged: {error.errors()[0]['msg']}") from None

    @cached_property
    def suite(self) -> Suite:
        """The run's suite, as it was when the run was planned; read once."""
        return planned_suite(self.plan)

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
        with locked_for_writing(self.folder):
            yield

    @property
    def provenance(self) -> list[dict[str, Any]]:
        """One entry for each session, that is each time the run was started or resumed."""
        path = self.folder / "provenance.json"
        try:
            with explained("read", path):
                sessions: Any = json.loads(path.read_bytes()) if path.exists() else []
        except ValueError as error:
            raise RunError(f"{path} is damaged: {error}") from None
        if not isinstance(sessions, list):
            raise RunError(f"{path} is damaged: it should be a list of sessions")
        return sessions

    def write_provenance(self, sessions: Sequence[Mapping[str, Any]]) -> None:
        """Replace the provenance with these sessions."""
        text = json.dumps(list(sessions), indent=1, sort_keys=True)
        with explained_writes(self.folder):
            write_atomically(self.folder / "provenance.json", text.encode())

    def append(self, job: int, records: Rows, curves: Rows = (), diagnostics: Rows = ()) -> None:
        """Write a job's curves and diagnostics, then its records, which make the job delivered."""
        attempt = records[0]["attempt"]
        name = f"{job:05d}-{attempt:02d}.parquet"
        with explained_writes(self.folder):
            if curves:
                write_rows(self.folder / "curves" / name, curves, "curves")
            if diagnostics:
                (self.folder / "diagnostics").mkdir(exist_ok=True)  # older runs have no such folder
                write_rows(self.folder / "diagnostics" / name, diagnostics, "diagnostics")
            write_rows(self.folder / "records" / name, records, "records")

    def delivered(self) -> pd.DataFrame:
        """Return the last attempt of every row that has a record, in the plan's order."""
        return _last_attempts(self._tables.frame("records"))

    def records(self) -> pd.DataFrame:
        """Return every promised row, in the plan's order; a row without a record is `missing`.

        Raises
        ------
        RunError
            There are records of rows that the plan does not promise.
        """
        promised = pd.DataFrame(self.plan.rows(), columns=ROW_KEY)
        delivered = self.delivered()
        matched = delivered[[*ROW_KEY]].merge(promised, on=ROW_KEY, how="left", indicator=True)
        if (matched["_merge"] == "left_only").any():
            raise RunError(f"{self.folder}/records has rows that its plan does not promise")
        records = promised.merge(delivered, on=ROW_KEY, how="left")
        del delivered, matched  # of a million rows, each is a third of a gigabyte
        records["suite"] = self.plan.suite
        records["status"] = records["status"].fillna("missing")
        columns: list[str] = list(RECORD_SCHEMA.names)
        ordered: pd.DataFrame = records[columns]
        return ordered

    def curves(self) -> pd.DataFrame:
        """Return the curves of each row's last attempt."""
        return self._of_last_attempts(self._tables.frame("curves"))

    def diagnostics(self) -> pd.DataFrame:
        """Return the diagnostics of each row's last attempt."""
        return self._of_last_attempts(self._tables.frame("diagnostics"))

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
