"""The ledger: plan, provenance, records and curves of one run, on disk.

    results/<run>/plan.json            every row promised; written before the first training
    results/<run>/provenance.json      versions, devices, data: one entry a session of the run
    results/<run>/records/*.parquet    one row a training, whatever became of it
    results/<run>/curves/*.parquet     one row an epoch
    results/<run>/diagnostics/*.parquet  what was seen inside the networks, where recipes ask
    results/<run>/checkpoints/*.npz    weights after shared phases, removed when the run is whole

Files are written beside, flushed to disk and renamed, never changed after. Parquet pages carry
checksums. A row that is trained again has a further record with a higher `attempt`; the last one
counts. A promised row without a record reads as `missing`: no row ever disappears.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from pydantic import ValidationError

from manyseeds.errors import RequestError, RunError
from manyseeds.plan import Plan, RowKey

Status = Literal["ok", "diverged", "failed", "timed_out", "missing"]

_TEXT = ("suite", "recipe", "case", "backend", "mode", "vary", "recipe_sha256", "device")
_SEEDS = ("seed", "seed_init", "seed_order", "seed_dropout", "seed_augment", "seed_split")
_COUNTS = ("job", "attempt", "lanes", "epochs", "best_epoch", "compilations", "peak_memory_bytes")
METRICS = (
    *("train_loss", "train_penalty", "fitted_loss", "fitted_accuracy"),
    *("valid_loss", "valid_accuracy"),
    *("test_loss", "test_accuracy", "test_brier", "test_ece"),
    *("mc_loss", "mc_accuracy", "mc_brier", "mc_ece"),
    *("source_accuracy_before", "source_accuracy_after", "zero_share", "dead_share"),
    "normality_error",
)
SECONDS = ("seconds_train", "seconds_evaluate", "seconds_compile", "seconds_shared")

RECORD_SCHEMA = pa.schema(
    [pa.field(name, pa.string()) for name in _TEXT]
    + [pa.field(name, pa.int64()) for name in _SEEDS + _COUNTS]
    + [pa.field("status", pa.string()), pa.field("reason", pa.string())]
    + [pa.field(name, pa.float64()) for name in METRICS + SECONDS]
)
"""Columns of a record.

`job` and `lanes` say which cohort a row was trained in. Accuracies are shares in [0, 1]. The
seconds are those of the whole cohort (divide by `lanes` for one seed's share): `seconds_train`
and `seconds_evaluate` of the phases trained in this job, `seconds_compile` of tracing and
compiling, `seconds_shared` of phases that were trained once for several recipes, which every
row that builds on them repeats. `train_loss` is the mean over the last epoch's steps, without
`train_penalty`; `fitted_*` are of the whole training split after training, nothing dropped.
`*_brier` and `*_ece` are calibration errors (`manyseeds.calibration`), `mc_*` those of Monte Carlo
dropout on the same weights. `source_accuracy_*` is the previous network's test accuracy on its own
task before and after a phase that shares its layers. `zero_share` is the share of kernel weights
that are 0. Where a recipe asks for diagnostics, after the last epoch: `dead_share`, the share of
hidden units that are dead, and `normality_error`, the largest over hidden layers of |mean| and
|sd - 1| of what their units put out, in training mode where something is dropped.
"""

CURVE_SCHEMA = pa.schema(
    [pa.field(name, pa.string()) for name in ("recipe", "case", "backend", "mode", "vary")]
    + [pa.field("seed", pa.int64()), pa.field("job", pa.int64()), pa.field("attempt", pa.int64())]
    + [pa.field("phase", pa.string()), pa.field("epoch", pa.int64())]
    + [
        pa.field(name, pa.float64())
        for name in ("rate", "train_loss", "train_penalty", "valid_loss", "valid_accuracy")
    ]
)
"""Columns of a curve: `epoch` counts from 1 over all phases; `rate` is the epoch's last step's."""

DIAGNOSTICS_SCHEMA = pa.schema(
    [pa.field(name, pa.string()) for name in ("recipe", "case", "backend", "mode", "vary")]
    + [pa.field("seed", pa.int64()), pa.field("job", pa.int64()), pa.field("attempt", pa.int64())]
    + [pa.field("phase", pa.string()), pa.field("epoch", pa.int64()), pa.field("step", pa.int64())]
    + [pa.field("layer", pa.string()), pa.field("quantity", pa.string())]
    + [pa.field("value", pa.float64())]
)
"""Columns of diagnostics: see `manyseeds.diagnostics.Diagnosis`."""

ROW_KEY = list(RowKey._fields)
Rows = Sequence[Mapping[str, Any]]


class Ledger:
    """One run's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._frames: dict[str, tuple[list[tuple[str, int, int]], pd.DataFrame]] = {}

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
            _write(folder / "plan.json", plan.model_dump_json(indent=1).encode())
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

    @property
    def plan(self) -> Plan:
        """The run's plan."""
        path = self.folder / "plan.json"
        try:
            return Plan.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise RunError(f"{path} is damaged: {error.errors()[0]['msg']}") from None

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
            _write(self.folder / "provenance.json", text.encode())

    def append(self, job: int, records: Rows, curves: Rows = (), diagnostics: Rows = ()) -> None:
        """Add a job's records, curves and diagnostics; records last, for they make it count."""
        attempt = records[0]["attempt"]
        name = f"{job:05d}-{attempt:02d}.parquet"
        with _explained(self.folder):
            if curves:
                _write_table(self.folder / "curves" / name, curves, CURVE_SCHEMA)
            if diagnostics:
                (self.folder / "diagnostics").mkdir(exist_ok=True)  # not in older runs
                _write_table(self.folder / "diagnostics" / name, diagnostics, DIAGNOSTICS_SCHEMA)
            _write_table(self.folder / "records" / name, records, RECORD_SCHEMA)

    def delivered(self) -> pd.DataFrame:
        """Return the last attempt of every row that has a record, in the plan's order."""
        return _last_attempts(self._read("records", RECORD_SCHEMA))

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
        return self._of_last_attempts(self._read("curves", CURVE_SCHEMA))

    def diagnostics(self) -> pd.DataFrame:
        """Return the diagnostics of each row's last attempt."""
        return self._of_last_attempts(self._read("diagnostics", DIAGNOSTICS_SCHEMA))

    def _of_last_attempts(self, rows: pd.DataFrame) -> pd.DataFrame:
        last = self.delivered()[[*ROW_KEY, "attempt"]]
        return rows.merge(last, on=[*ROW_KEY, "attempt"]).reset_index(drop=True)

    def _read(self, kind: str, schema: pa.Schema) -> pd.DataFrame:
        """Read all files of a kind; those read before are read again only if one has changed.

        The frame is kept, and not to be changed.
        """
        paths = sorted((self.folder / kind).glob("*.parquet"))
        seen = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in paths]
        if kind not in self._frames or self._frames[kind][0] != seen:
            with ThreadPoolExecutor() as pool:
                tables = list(pool.map(lambda path: _read_table(path, schema), paths))
            table = pa.concat_tables([schema.empty_table(), *tables], promote_options="default")
            integers = {pa.int64(): pd.Int64Dtype()}
            self._frames[kind] = seen, table.to_pandas(types_mapper=integers.get)
        return self._frames[kind][1]


def ledgers(results: Path) -> list[Ledger]:
    """Return every run in a results folder, by name."""
    return [Ledger.open(path.parent) for path in sorted(results.glob("*/plan.json"))]


def _last_attempts(records: pd.DataFrame) -> pd.DataFrame:
    if not records.duplicated(ROW_KEY).any():
        return records.reset_index(drop=True)
    last = records.sort_values("attempt", kind="stable").drop_duplicates(ROW_KEY, keep="last")
    return last.sort_index().reset_index(drop=True)


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    _write(path, sink.getvalue().to_pybytes())


def _read_table(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        # Not `read_table`: it is slower, and a folder "a=b" on the way would add a column.
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        # The names and types of columns have no checksum.
        stray = [field.name for field in table.schema if field not in list(schema)]
        if stray:
            raise pa.ArrowInvalid(f"unknown columns {', '.join(map(repr, stray))}")
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        remedy = {
            "records": "Delete it and resume the run to train its rows again.",
            "curves": "Delete it: its rows' records are kept, their curves are lost.",
            "diagnostics": "Delete it: its rows' records are kept, their diagnostics are lost.",
        }[path.parent.name]
        raise RunError(f"{path} is damaged ({error}). {remedy}") from None
    return table


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, even after a power cut."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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
