"""Keeps libraries from the user's surroundings: environment variables, and files of settings.

A backend knows the variables of its framework, and leaves them out when it is opened, before the
framework is imported: the same plan gives the same numbers in any shell.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path


@contextmanager
def undisturbed(ignored: Iterable[str], but: Iterable[str] = ()) -> Iterator[None]:
    """Remove environment variables, and import a framework inside the block.

    Parameters
    ----------
    ignored
        Names and patterns of the variables that change what the framework computes.
    but
        Names and patterns of those among them that are kept: they name places or devices.
    """
    for name in list(os.environ):
        if _matches(name, ignored) and not _matches(name, but):
            del os.environ[name]
    with aside():
        yield


@contextmanager
def aside() -> Iterator[None]:
    """Stand in a folder without settings: libraries read some as they are imported.

    Matplotlib reads a `matplotlibrc` in the working folder, Numba a `.numba_config.yaml`.
    """
    try:
        folder = os.open(".", os.O_RDONLY)
    except OSError:  # it may not be read, and so holds no settings
        yield
        return
    os.chdir(Path(__file__).parent)
    try:
        yield
    finally:
        os.fchdir(folder)
        os.close(folder)


def keep_flags(variable: str, kept: Iterable[str]) -> None:
    """Remove the flags of a variable of flags, all but those of some names or patterns."""
    flags = [flag for flag in os.environ.get(variable, "").split() if _matches(_name(flag), kept)]
    if flags:
        os.environ[variable] = " ".join(flags)
    else:
        os.environ.pop(variable, None)


def ignored_variables(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names of variables that have been removed or have lost a flag.

    Their values are nobody's business: ledgers are shared.
    """
    return [
        name
        for name, value in sorted(before.items())
        if not set(value.split()) <= set(now.get(name, "").split())
        or (name not in now and not value.split())
    ]


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _name(flag: str) -> str:
    return flag.lstrip("-").partition("=")[0]
