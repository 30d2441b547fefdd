"""The ledger: plan, provenance, records and curves of one run, on disk.

    results/<run>/plan.json            every row promised; written before the first training
    results/<run>/provenance.json      versions, devices, data: one entry a session of the run
    results/<run>/records/*.parquet    one row a training, whatever became of it
    results/<run>/curves/*.parquet     one row an epoch
    results/<run>/diagnostics/*.parquet  what was seen inside the networks, where recipes ask
    results/<run>/checkpoints/*.npz    weights after shared phases, removed when the run is whole

`manyseeds pack` makes one file of each kind, `records.parquet` and so on, from a whole run
(`manyseeds.ledger.packing`); everything reads both.

Files are written beside, flushed to disk and renamed, never changed after. Parquet pages carry
checksums. A row that is trained again has a further record with a higher `attempt`; the last one
counts. A promised row without a record reads as `missing`: no row ever disappears.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout
from pydantic import ValidationError

from manyseeds.errors import RequestError, RunError
from manyseeds.ledger.atomic_write import write_atomically
from manyseeds.ledger.plan import Plan
from manyseeds.ledger.planned_suite import planned_suite
from manyseeds.ledger.schemas import RECORD_SCHEMA, ROW_KEY, Rows
from manyseeds.ledger.tables import Tables, write_rows
from manyseeds.suite.suite import Suite


class Ledger:
    """One run's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables = Tables(folder)

    @classmethod
    def create(cls, results: Path, plan: Plan) -> Ledger:
        """Make the folder of a new run and write its plan; two runs never share a folder."""
        folder = results / plan.run
        with _explained(folder):
            results.mkdir(parents=True, exist_ok=True)
            try:
                folder.mkdir()
            except FileExistsError:
                raise RequestError(
                    f"{folder} exists already: a run never writes into another. "
                    f"Resume it with --resume {plan.run}, or choose another --results folder."
                ) from None
            for name in ("records", "curves", "diagnostics", "checkpoints"):
                (folder / name).mkdir()
            write_atomically(folder / "plan.json", plan.model_dump_json(indent=1).encode())
        return cls(folder)

    @classmethod
    def open(cls, folder: Path) -> Ledger:
        """Open a run's folder, refusing one without a readable plan."""
        if not (folder / "plan.json").is_file():
            raise RequestError(
                f"{folder} is no run: it has no plan.json. Runs are the folders that "
                "`manyseeds run` makes in its --results folder."
            )
        ledger = cls(folder)
        ledger.plan  # noqa: B018  (a broken plan is refused here, not later)
        return ledger

    @cached_property
    def plan(self) -> Plan:
        """The run's plan, read once."""
        path = self.folder / "plan.json"
        try:
            return Plan.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise RunError(f"{path} is damaged: {error.errors()[0]['msg']}") from None

    @cached_property
    def suite(self) -> Suite:
        """The run's suite, as it was when the plan was made; read once."""
        return planned_suite(self.plan)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the run for writing; a second writer is refused."""
        lock = FileLock(self.folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RequestError(
                f"{self.folder} is being written by another process: wait for it to end, or "
                "start a new run, which gets a folder of its own."
            ) from None
        try:
            yield
        finally:
            lock.release()

    @property
    def provenance(self) -> list[dict[str, Any]]:
        """One entry for each time the run was started or resumed."""
        path = self.folder / "provenance.json"
        try:
            sessions: Any = json.loads(path.read_bytes()) if path.exists() else []
        except ValueError as error:
            raise RunError(f"{path} is damaged: {error}") from None
        if not isinstance(sessions, list):
            raise RunError(f"{path} is damaged: it is no list")
        return sessions

    def write_provenance(self, sessions: Sequence[Mapping[str, Any]]) -> None:
        """Replace the provenance by `sessions`."""
        text = json.dumps(list(sessions), indent=1, sort_keys=True)
        with _explained(self.folder):
            write_atomically(self.folder / "provenance.json", text.encode())

    def append(self, job: int, records: Rows, curves: Rows = (), diagnostics: Rows = ()) -> None:
        """Add a job's records, curves and diagnostics; records last, for they make it count."""
        attempt = records[0]["attempt"]
        name = f"{job:05d}-{attempt:02d}.parquet"
        with _explained(self.folder):
            if curves:
                write_rows(self.folder / "curves" / name, curves, "curves")
            if diagnostics:
                (self.folder / "diagnostics").mkdir(exist_ok=True)  # not in older runs
                write_rows(self.folder / "diagnostics" / name, diagnostics, "diagnostics")
            write_rows(self.folder / "records" / name, records, "records")

    def delivered(self) -> pd.DataFrame:
        """Return the last attempt of every row that has a record, in the plan's order."""
        return _last_attempts(self._tables.frame("records"))

    def records(self) -> pd.DataFrame:
        """Return one row per promised row, in the plan's order; without a record: `missing`."""
        promised = pd.DataFrame(self.plan.rows(), columns=ROW_KEY)
        found = self.delivered()
        stray = found[[*ROW_KEY]].merge(promised, on=ROW_KEY, how="left", indicator=True)
        if (stray["_merge"] == "left_only").any():
            raise RunError(f"{self.folder}/records holds rows that its plan does not promise")
        records = promised.merge(found, on=ROW_KEY, how="left")
        del found, stray  # of a million rows each is a third of a gigabyte
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
        """Return whether every promised row is ok, or diverged where its recipe expects that."""
        records = self.records()
        expected = {cell.recipe.name for cell in self.suite.cells if cell.recipe.expect_divergence}
        fine = (records["status"] == "ok") | (
            (records["status"] == "diverged") & records["recipe"].isin(expected)
        )
        return bool(fine.all())

    def _of_last_attempts(self, rows: pd.DataFrame) -> pd.DataFrame:
        last = self.delivered()[[*ROW_KEY, "attempt"]]
        return rows.merge(last, on=[*ROW_KEY, "attempt"]).reset_index(drop=True)


def _last_attempts(records: pd.DataFrame) -> pd.DataFrame:
    if not records.duplicated(ROW_KEY).any():
        return records.reset_index(drop=True)
    last = records.sort_values("attempt", kind="stable").drop_duplicates(ROW_KEY, keep="last")
    return last.sort_index().reset_index(drop=True)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Say what a failed write means for the run."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write to {folder}: {error.strerror or error}. Everything recorded so far is "
            f"kept; make room, then go on with --resume {folder.name}."
        ) from error
