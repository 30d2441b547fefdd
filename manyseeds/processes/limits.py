"""Limits of the system that a process ran into: how they show in its last words, and the remedy."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from manyseeds.errors import RunError

_PROCESSES = (
    "no more processes or threads may be started: end other programs, or raise the limit of "
    "processes (ulimit -u) or of memory (ulimit -v)"
)
_FILES = "no more files may be open: raise the limit, for instance with: ulimit -n 4096"
_MEMORY = (
    "memory ran out: train fewer lanes at once (--lanes), end other programs, or raise the limit "
    "of memory (ulimit -v)"
)
_DISK = "the disk is full: make room on it"

_REMEDIES = {
    "can't start new thread": _PROCESSES,
    "can't start a new thread": _PROCESSES,
    "pthread_create": _PROCESSES,
    "resource temporarily unavailable": _PROCESSES,
    "resource unavailable": _PROCESSES,
    "too many open files": _FILES,
    "no space left on device": _DISK,
    "memoryerror": _MEMORY,
    "cannot allocate memory": _MEMORY,
    "can't allocate memory": _MEMORY,
    "failed to map segment": _MEMORY,
    "bad_alloc": _MEMORY,
    "out of memory": _MEMORY,
    "not enough memory": _MEMORY,
    "resource_exhausted": _MEMORY,
    "oom when allocating": _MEMORY,
}
"""What to do about a limit, by the words with which libraries report it, in small letters."""


def remedy_of_limit(text: str) -> str:
    """Return what to do about the limit that a text reports; "" if it reports none.

    >>> remedy_of_limit("OSError: [Errno 24] Too many open files")
    'no more files may be open: raise the limit, for instance with: ulimit -n 4096'
    """
    small = text.lower()
    return next((remedy for words, remedy in _REMEDIES.items() if words in small), "")


def with_remedy(text: str) -> str:
    """Return a text, with what to do about the limit that it reports, if any."""
    remedy = remedy_of_limit(text)
    return f"{text} ({remedy})" if remedy else text


@contextmanager
def limits_explained(action: str = "") -> Iterator[None]:
    """Turn a limit that is run into into a `RunError` with a remedy.

    Parameters
    ----------
    action
        What could not be done, in front of the reason: "cannot start a worker process: ". Without
        it, only errors that are known to be limits are turned.
    """
    try:
        yield
    except (OSError, RuntimeError, MemoryError) as error:
        reason = with_remedy(f"{type(error).__name__}: {error}".removesuffix(": "))
        if not action and not _is_limit(error):
            raise
        raise RunError(f"{action}{reason}") from error


def _is_limit(error: OSError | RuntimeError | MemoryError) -> bool:
    """Return whether an error is a limit of the process, not about a file."""
    if isinstance(error, OSError) and error.filename is not None and error.errno not in _COUNTED:
        return False
    return bool(remedy_of_limit(f"{type(error).__name__}: {error}"))


_COUNTED = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
"""Error numbers that are about the process, whichever file it was opening."""
