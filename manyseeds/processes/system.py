"""The systems that manyseeds runs on: their kind, and the least memory that they must allow."""

from __future__ import annotations

import sys

from manyseeds.errors import RequestError, RunError

_LEAST_MEMORY = 1 << 30
"""Bytes of addresses; with less, libraries wait for ever as they are imported."""


def check_system() -> None:
    """Raise a `RequestError` on Windows, whose processes cannot inherit the pipes of workers."""
    if sys.platform == "win32":
        raise RequestError(
            "manyseeds runs on Linux and macOS, not on Windows itself: its worker processes need "
            "inherited pipes and POSIX signals; on Windows, install it inside WSL "
            "(https://learn.microsoft.com/windows/wsl/install)"
        )


def check_memory() -> None:
    """Raise a `RunError` if this process may take too little memory to import its libraries."""
    import resource  # Windows has none

    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if allowed != resource.RLIM_INFINITY and allowed < _LEAST_MEMORY:
        raise RunError(
            f"this process may take {allowed / 2**20:.0f} MiB of memory, and needs at least "
            f"{_LEAST_MEMORY / 2**20:.0f} MiB: raise the limit, for instance with: "
            "ulimit -v unlimited"
        )
