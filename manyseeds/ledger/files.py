"""The files of a run's folder: listed strictly, read whole, never through a link.

A ledger may be somebody else's. So nothing is read or written through a link, no file is read that
is larger than the bound for its kind, and an error of the system is never taken for damage.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from manyseeds.errors import RunError, file_failure


class DamageError(RunError):
    """A file of a run is damaged, edited, or not the run's own.

    Attributes
    ----------
    path
        The file.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make the error again in another process."""
        return type(self), (self.path, str(self).removeprefix(f"{self.path} "))


def unreadable(path: Path, error: OSError) -> RunError:
    """Return the error for a file that the system does not let us read; the file may be whole."""
    return RunError(
        f"{file_failure('read', path, error)} The file may be whole: leave it where it is."
    )


def names_in(folder: Path) -> list[str]:
    """Return the sorted names in a folder; none if there is no such folder.

    Raises
    ------
    RunError
        The folder cannot be listed, is a link, or is no folder. It never counts as empty then.
    """
    try:
        refuse_link(folder)
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(folder, error) from error


def read_file(path: Path, most: int) -> bytes:
    """Return the content of a regular file.

    Parameters
    ----------
    most
        The largest size in bytes that such a file can have; a larger one is not read.

    Raises
    ------
    RunError
        It is a link, no regular file, too large, or the system does not let us read it.
    FileNotFoundError
        There is no such file.
    """
    try:
        refuse_link(path)
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise DamageError(path, "is no regular file: put the file itself there")
        if found.st_size > most:
            raise DamageError(
                path,
                f"has {found.st_size:,} bytes, and such a file has {most:,} at most: it is "
                "damaged, or no file of this run, and is not read",
            )
        with path.open("rb") as file:
            return file.read(found.st_size)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from error


def exists(path: Path) -> bool:
    """Return whether there is anything of this name, a broken link included.

    Raises
    ------
    RunError
        The system does not say.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unreadable(path, error) from error
    return True


def refuse_link(path: Path) -> None:
    """Raise a `DamageError` if a path is a link: it may lead out of the run's folder."""
    if path.is_symlink():
        raise DamageError(
            path,
            f"is a link to {os.readlink(path)!r}, and no link is followed out of a run's folder: "
            "put the file or folder itself in its place",
        )


def own_folder(path: Path) -> Path:
    """Return a folder inside a run's folder, made if it is absent.

    Raises
    ------
    RunError
        It is a link.
    OSError
        It cannot be made.
    """
    refuse_link(path)
    path.mkdir(exist_ok=True)
    return path
