"""The operating systems that manyseeds runs on."""

from __future__ import annotations

import sys

from manyseeds.errors import RequestError


def check_system() -> None:
    """Raise a `RequestError` on Windows, whose processes cannot inherit the pipes of workers."""
    if sys.platform == "win32":
        raise RequestError(
            "manyseeds runs on Linux and macOS, not on Windows itself: its worker processes need "
            "inherited pipes and POSIX signals; on Windows, install it inside WSL "
            "(https://learn.microsoft.com/windows/wsl/install)"
        )
