"""Errors a person can act on: what is wrong, where, and what to write instead.

A `RequestError` says that the request itself was wrong (exit status 2), a `RunError` that a correct
request could not be carried out (exit status 1).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ManyseedsError(Exception):
    """Base of every error that manyseeds raises on purpose; shown without a traceback."""

    exit_status = 1


class RequestError(ManyseedsError):
    """The request was wrong: an unknown name, a wrong type, a missing data set."""

    exit_status = 2


class RunError(ManyseedsError):
    """The request was right but could not be carried out: a full disk, a broken ledger."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, or None if none is similar.

    >>> nearest("sgdd", ["adam", "sgd"])
    'sgd'
    """
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return a sentence that says `name` is unknown, suggests the nearest name and lists them all.

    Parameters
    ----------
    kind
        The kind of thing that the name should refer to: "suite", "recipe", ….
    name
        The unknown name.
    known
        All names of this kind.

    Examples
    --------
    >>> unknown("optimizer", "adamm", ["sgd", "adam"])
    "unknown optimizer 'adamm'. Did you mean 'adam'? Known: adam, sgd."
    """
    names = sorted(known)
    guess = nearest(name, names)
    hint = f" Did you mean {guess!r}?" if guess else ""
    return f"unknown {kind} {name!r}.{hint} Known: {', '.join(names) or 'none'}."
