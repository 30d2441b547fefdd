"""The tables in a run's folder: one file per job, or one per kind once the run is packed.

The files are those that the plan names: `records/00003-01.parquet` for attempt 1 at job 3, or
`records.parquet`. Every table is checked against the plan as it is read.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from manyseeds.errors import Notice
from manyseeds.ledger.contents import JobFile, job_file_name, job_files
from manyseeds.ledger.files import DamageError, exists, unreadable
from manyseeds.ledger.parquet import read_table
from manyseeds.ledger.plan import Plan
from manyseeds.ledger.promises import Promise
from manyseeds.ledger.schemas import SCHEMAS, Kind
from manyseeds.ledger.table_checks import faults, gaps, other_recipes
from manyseeds.ledger.write_errors import resume_command

_LOST: Mapping[Kind, str] = {
    "curves": "Move it out of the run's folder: the curves of its rows are lost, their records "
    "are not.",
    "diagnostics": "Move it out of the run's folder: the diagnostics of its rows are lost, their "
    "records are not.",
}
"""Remedies for a damaged file of one job."""

_PACKED_REMEDY = "Restore it from version control or a backup, or train the run again."
"""Remedy for a damaged file of a packed run."""

_PACKED_ATTEMPTS = 100
"""The most attempts at each job, on average, in a packed file."""


_FEW = 16
"""Files that are read sooner without threads."""


class _Stamp(NamedTuple):
    """What changes with a file's content."""

    name: str
    changed: int
    size: int


class Tables:
    """The tables in a run's folder; each is read once, and again only if its files have changed.

    Parameters
    ----------
    folder, plan
        The run's folder and its plan.
    promised
        The promise of every job.
    """

    def __init__(self, folder: Path, plan: Plan, promised: Mapping[int, Promise]) -> None:
        self._folder = folder
        self._plan = plan
        self._promised = promised
        self._frames: dict[Kind, tuple[list[_Stamp], pd.DataFrame]] = {}

    def job_files(self, kind: Kind) -> list[JobFile]:
        """Return the files of a kind that jobs have written, in the order of the jobs."""
        return job_files(self._folder, kind, self._promised)

    def packed(self, kind: Kind) -> pa.Table | None:
        """Return the table in the packed file of a kind, unchecked; None if there is none."""
        path = packed_file(self._folder, kind)
        if not exists(path):
            return None
        attempts = _PACKED_ATTEMPTS
        if kind != "records" and len(records := self.frame("records")):
            attempts = int(records["attempt"].max())
        rows = sum(promise.most[kind] for promise in self._promised.values())
        return read_table(path, kind, rows * attempts, _PACKED_REMEDY)

    def loose(self, kind: Kind) -> pa.Table:
        """Return the rows in the files of the jobs, unchecked, in the order of the jobs."""
        tables = _in_threads(lambda file: self._job_table(file, kind), self.job_files(kind))
        return pa.concat_tables([SCHEMAS[kind].empty_table(), *tables])

    def frame(self, kind: Kind) -> pd.DataFrame:
        """Return all rows of a kind, checked; the frame is cached and must not be changed.

        Raises
        ------
        DamageError
            A file is damaged, or holds what the plan does not promise.
        """
        stamps = self._stamps(kind)
        if kind not in self._frames or self._frames[kind][0] != stamps:
            self._frames[kind] = stamps, self._checked(kind)
        return self._frames[kind][1]

    def _checked(self, kind: Kind) -> pd.DataFrame:
        packed = self.packed(kind)
        table = self.loose(kind) if packed is None else packed
        frame = _frame(table)
        for fault in faults(frame, kind, self._plan.suite, self._promised):
            path, row = self._place(kind, packed is not None, frame, fault.row)
            raise DamageError(
                path,
                f"is damaged: row {row}, {fault.column}: {fault.problem}. "
                f"{self._remedy(kind, packed is not None)}",
            )
        if packed is not None:
            self._refuse_mixture(kind, frame)
        if kind == "curves":
            self._refuse_gaps(frame, packed is not None)
        if kind == "records" and (others := other_recipes(frame, self._promised)):
            warnings.warn(
                f"{self._folder}: rows of {', '.join(others)} were trained under another recipe "
                "than the suite in plan.json has now: it was edited, or another version of "
                "manyseeds trained them",
                Notice,
                stacklevel=2,
            )
        return frame

    def _refuse_gaps(self, curves: pd.DataFrame, packed: bool) -> None:
        for job, attempt, problem in gaps(curves, self.frame("records"), self._promised):
            path = packed_file(self._folder, "curves")
            if not packed:
                path = self._folder / "curves" / job_file_name(job, attempt)
            raise DamageError(path, f"is damaged: {problem}. {self._remedy('curves', packed)}")

    def _refuse_mixture(self, kind: Kind, packed: pd.DataFrame) -> None:
        """Refuse a packed file beside files of jobs that it does not hold: one would be lost."""
        held = set(packed[["job", "attempt"]].drop_duplicates().itertuples(index=False, name=None))
        for file in self.job_files(kind):
            if (file.job, file.attempt) not in held:
                raise DamageError(
                    packed_file(self._folder, kind),
                    f"lacks the rows of {file.path}: it is of another copy of the run. Move one "
                    "of them out of the run's folder.",
                )

    def _job_table(self, file: JobFile, kind: Kind) -> pa.Table:
        """Return the table in a job's file, whose rows all are of the job and attempt it names."""
        most = self._promised[file.job].most[kind]
        table = read_table(file.path, kind, most, self._remedy(kind, packed=False))
        for name, right in (("job", file.job), ("attempt", file.attempt)):
            values = table[name].to_numpy()
            for row in np.flatnonzero(values != right)[:1]:
                raise DamageError(
                    file.path,
                    f"is damaged: row {row + 1}, {name}: {values[row]}, where the file's name says "
                    f"{right}. {self._remedy(kind, packed=False)}",
                )
        if not len(table):
            raise DamageError(
                file.path, f"is damaged: it has no rows. {self._remedy(kind, packed=False)}"
            )
        return table

    def _place(self, kind: Kind, packed: bool, frame: pd.DataFrame, row: int) -> tuple[Path, int]:
        """Return the file of a row and its number in it, from 1."""
        if packed:
            return packed_file(self._folder, kind), row + 1
        job, attempt = (int(frame[name].iloc[row]) for name in ("job", "attempt"))
        own = (frame["job"] == job) & (frame["attempt"] == attempt)
        path = next(f.path for f in self.job_files(kind) if (f.job, f.attempt) == (job, attempt))
        return path, int(own.iloc[: row + 1].sum())

    def _remedy(self, kind: Kind, packed: bool) -> str:
        if packed:
            return _PACKED_REMEDY
        again = f"train its rows again with: {resume_command(self._folder)}"
        return _LOST.get(kind, f"Move it out of the run's folder, and {again}")

    def _stamps(self, kind: Kind) -> list[_Stamp]:
        packed = packed_file(self._folder, kind)
        paths = [packed] if exists(packed) else []
        paths += [file.path for file in self.job_files(kind)]
        try:
            return [_stamp(path) for path in paths]
        except OSError as error:
            raise unreadable(self._folder / kind, error) from error


def packed_file(folder: Path, kind: Kind) -> Path:
    """Return the path of a kind's file in a packed run."""
    return folder / f"{kind}.parquet"


def _stamp(path: Path) -> _Stamp:
    found = path.lstat()
    return _Stamp(path.name, found.st_mtime_ns, found.st_size)


def _frame(table: pa.Table) -> pd.DataFrame:
    integers = {pa.int64(): pd.Int64Dtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=integers.get, use_threads=False)
    return frame


def _in_threads(read: Callable[[JobFile], pa.Table], files: Sequence[JobFile]) -> list[pa.Table]:
    """Read files in threads, or one after another where the system allows no more threads."""
    if len(files) < _FEW:
        return [read(file) for file in files]
    try:
        with ThreadPoolExecutor() as pool:
            return list(pool.map(read, files))
    except RuntimeError:  # "can't start new thread"
        return [read(file) for file in files]
