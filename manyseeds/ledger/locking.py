"""Locks of folders: one process writes to a folder at a time, on file systems of every kind."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

_UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
_UNSUPPORTED |= {errno.EPERM}
"""Error numbers of file systems without locks, such as some network drives."""


@contextmanager
def locked(folder: Path, timeout: float = 0) -> Iterator[Path]:
    """Lock a folder and yield the lock file.

    Where the file system has no locks, a file marks the folder as taken instead.

    Everybody who may write to the folder may lock it: the lock file has the folder's permissions.

    Raises
    ------
    filelock.Timeout
        Another process holds the lock, and did not give it back within `timeout` seconds. The
        exception names the lock file.
    OSError
        The lock file cannot be opened.
    """
    lock = _acquired(folder, timeout)
    try:
        yield Path(lock.lock_file)
    finally:
        lock.release()


def _acquired(folder: Path, timeout: float) -> BaseFileLock:
    mode = folder.stat().st_mode & 0o666 | 0o600
    lock = _native_lock(folder / ".lock", timeout, mode)
    if lock is not None:
        return lock
    # This file names its process: that of a process of this machine that has ended does not count.
    marker = SoftFileLock(folder / ".taken", timeout=timeout, mode=mode)
    marker.acquire()
    return marker


def _native_lock(path: Path, timeout: float, mode: int) -> BaseFileLock | None:
    """Return the file system's lock, acquired; None if it has no locks."""
    lock: BaseFileLock = FileLock(path, timeout=timeout, mode=mode)
    try:
        lock.acquire()
    except NotImplementedError:  # ENOSYS, in older releases of filelock
        return None
    except Timeout:
        if isinstance(lock, SoftFileLock):  # ENOSYS, in newer ones, beside a file left there
            return None
        raise
    except OSError as error:
        if error.errno in _UNSUPPORTED and not error.filename:  # else the file cannot be opened
            return None
        raise
    if isinstance(lock, SoftFileLock):
        lock.release()
        return None
    return lock
