"""Failures to write to a run, with what to do about them and how the run is continued."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import Timeout

from manyseeds.errors import ManyseedsError, RequestError, RunError, file_failure, reason, remedy
from manyseeds.ledger.locking import locked

_COPY = "copy the run to another folder and give that as --results"


def resume_command(folder: Path) -> str:
    """Return the command that continues the run in a folder, ready for a shell.

    >>> resume_command(Path("my results/tiny-1"))
    "manyseeds run --resume tiny-1 --results 'my results'"
    """
    return shlex.join(
        ["manyseeds", "run", "--resume", folder.name, "--results", str(folder.parent)]
    )


@contextmanager
def explained_writes(folder: Path) -> Iterator[None]:
    """Turn a failed write to a run into a `RunError` that says how to continue the run."""
    try:
        yield
    except OSError as error:
        advice = " ".join(filter(None, [remedy(error, _COPY), "and then"]))
        raise RunError(
            f"cannot write to {folder}: {reason(error)}. Nothing recorded so far is lost: "
            f"{advice} continue with: {resume_command(folder)}"
        ) from error


@contextmanager
def locked_for_writing(folder: Path) -> Iterator[None]:
    """Lock a run's folder for writing.

    Raises
    ------
    RequestError
        Another process is writing to the run, or the lock file is somebody else's.
    RunError
        The folder cannot be written to.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder))
        except Timeout as error:
            raise RequestError(_taken(folder, Path(error.lock_file))) from None
        except OSError as error:
            raise _lock_failure(folder, error) from error
        yield


def _taken(folder: Path, file: Path) -> str:
    message = (
        f"{folder} is being written by another process: wait for it to end, or start a new run, "
        "which has its own folder."
    )
    if file.name == ".lock":  # the system forgets it when the process ends
        return message
    return (
        f"{message} The process is named in {file}: if it has ended on another machine, remove "
        "that file."
    )


def _lock_failure(folder: Path, error: OSError) -> ManyseedsError:
    file = folder / ".lock"
    if isinstance(error, PermissionError) and os.path.exists(file):
        return RequestError(
            f"{file} belongs to {_owner(file)}, and you may not write to it: ask for "
            f"`chmod g+w {shlex.quote(str(file))}`, or start a new run, which has its own folder."
        )
    return RunError(file_failure("lock", folder, error, _COPY))


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:  # a user of another machine
        return f"user {path.stat().st_uid}"
