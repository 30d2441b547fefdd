"""Errors a person can act on: what is wrong, where, and what to write instead.

`RequestError` means the request itself was wrong (exit status 2); `RunError` means a
correct request could not be carried out (exit status 1).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ManyseedsError(Exception):
    """Base of every error manyseeds raises on purpose; its text is shown without a traceback."""

    exit_status = 1


class RequestError(ManyseedsError):
    """The request was wrong: an unknown name, a wrong type, a missing data set."""

    exit_status = 2


class RunError(ManyseedsError):
    """The request was right and could not be carried out: a full disk, a broken ledger."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, or None if none is like it."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that `name` is no known `kind`, which one was probably meant, and which there are."""
    names = sorted(known)
    guess = nearest(name, names)
    hint = f" Did you mean {guess!r}?" if guess else ""
    return f"unknown {kind} {name!r}.{hint} Known: {', '.join(names) or 'none'}."
