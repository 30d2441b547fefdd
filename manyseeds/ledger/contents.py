"""The files that a plan names in its run's folder, and the rest, which is never read.

Backup copies, conflict copies of a synchroniser, `._*` files of another system and partial
downloads lie beside a run's own files. Only the plan's names count: `records/00003-01.parquet` is
attempt 1 at job 3, and nothing else is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from manyseeds.ledger.files import names_in
from manyseeds.ledger.schemas import SCHEMAS, Kind

_JOB_FILE = re.compile(r"([0-9]{5,9})-([0-9]{2,9})\.parquet")
_TEMPORARY = re.compile(r"\.(.+)\.[0-9]+")
_CHECKPOINT = re.compile(r"[0-9a-f]{32}\.npz")
_FILES = {"plan.json", "provenance.json", *(f"{kind}.parquet" for kind in SCHEMAS)}
_FOLDERS = {*SCHEMAS, "checkpoints", "logs"}
_SHOWN = 3
"""Names that a warning lists; more are counted."""


class JobFile(NamedTuple):
    """A file with the rows of one attempt at a job."""

    job: int
    attempt: int
    path: Path


def job_file_name(job: int, attempt: int) -> str:
    """Return the name of a job's file.

    >>> job_file_name(3, 1)
    '00003-01.parquet'
    """
    return f"{job:05d}-{attempt:02d}.parquet"


def job_files(folder: Path, kind: Kind, jobs: Collection[int]) -> list[JobFile]:
    """Return the files of a kind that a plan with these jobs names, in the order of the jobs.

    Raises
    ------
    RunError
        The folder cannot be listed.
    """
    names = names_in(folder / kind)
    found = (_job_file(folder / kind, name, jobs) for name in names)
    return sorted(file for file in found if file)


def strays(folder: Path, jobs: Collection[int]) -> list[str]:
    """Return the names in a run's folder that a plan with these jobs does not name.

    Raises
    ------
    RunError
        A folder cannot be listed.
    """
    known = _FILES | _FOLDERS
    top = names_in(folder.resolve())  # the run's own folder may be a link, such as `latest`
    stray = [name for name in top if name not in known and not _is_ours(name)]
    for kind in SCHEMAS:
        for name in names_in(folder / kind):
            temporary = _TEMPORARY.fullmatch(name)
            if not _job_file(folder, temporary[1] if temporary else name, jobs):
                stray.append(f"{kind}/{name}")
    return stray


def stray_warning(folder: Path, stray: Iterable[str]) -> str:
    """Return one line about the files that were not read; "" if there are none."""
    names = list(stray)
    if not names:
        return ""
    shown = ", ".join(names[:_SHOWN])
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{folder}: not read, because the run's plan does not name it: {shown}{rest}"


def checkpoint_files(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, without what else lies there.

    Raises
    ------
    RunError
        The folder is a link, or cannot be listed.
    """
    return [folder / name for name in names_in(folder) if _CHECKPOINT.fullmatch(name)]


def _job_file(folder: Path, name: str, jobs: Collection[int]) -> JobFile | None:
    matched = _JOB_FILE.fullmatch(name)
    if not matched:
        return None
    job, attempt = int(matched[1]), int(matched[2])
    named = name == job_file_name(job, attempt) and job in jobs and attempt >= 1
    return JobFile(job, attempt, folder / name) if named else None


def _is_ours(name: str) -> bool:
    """Return whether a file is the run's lock, or one that an interrupted write has left."""
    temporary = _TEMPORARY.fullmatch(name)
    return name.startswith(".lock") or (temporary is not None and temporary[1] in _FILES)
