"""Errors a person can act on: what is wrong, where, and what to write instead.

A `RequestError` says that the request itself was wrong (exit status 2), a `RunError` that a correct
request could not be carried out (exit status 1).
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

LONGEST_MESSAGE = 4_000
"""Characters of the longest message; the middle of a longer one is left out."""

_LONGEST_VALUE = 80
_LONGEST_LIST = 1_500


class ManyseedsError(Exception):
    """Base of every error that manyseeds raises on purpose; shown without a traceback."""

    exit_status = 1

    def __init__(self, message: str) -> None:
        super().__init__(shortened(message, LONGEST_MESSAGE))


class RequestError(ManyseedsError):
    """The request was wrong: an unknown name, a wrong type, a missing data set."""

    exit_status = 2


class RunError(ManyseedsError):
    """The request was right but could not be carried out: a full disk, a broken ledger."""


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` characters: the middle of a longer one is left out.

    >>> shortened("a" * 100, 40)
    'aaaaaaaa … (85 characters more) …aaaaaaa'
    """
    if len(text) <= most:
        return text
    gap = f" … ({len(text) - most + 25:,} characters more) …"
    start = (most - len(gap) + 1) // 2
    return f"{text[:start]}{gap}{text[len(text) - (most - len(gap) - start) :]}"


def quoted(value: object) -> str:
    """Return a value as messages show it, in at most 80 characters.

    >>> quoted("a name"), quoted(True)
    ("'a name'", 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()  # as TOML has it
    if isinstance(value, int) and value.bit_length() > _LONGEST_VALUE:
        return f"a number of {value.bit_length():,} bits"  # Python refuses to write the longest out
    return shortened(repr(value), _LONGEST_VALUE)


def printable(text: str) -> str:
    r"""Return a text with its control characters written out, so that a terminal shows them.

    >>> printable("red: \x1b[31m")
    'red: \\x1b[31m'
    """
    return "".join(c if c in "\n\t" or not _is_control(c) else ascii(c)[1:-1] for c in text)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _TURNING


_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that turn the direction of the text after them."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, or None if none is similar.

    >>> nearest("sgdd", ["adam", "sgd"])
    'sgd'
    """
    if len(name) > _LONGEST_VALUE:  # comparing two long texts takes hours
        return None
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return a sentence that says `name` is unknown, suggests the nearest name and lists them.

    Parameters
    ----------
    kind
        The kind of thing that the name should refer to: "suite", "recipe", ….
    name
        The unknown name.
    known
        All names of this kind; of very many, the first are listed.

    Examples
    --------
    >>> unknown("optimizer", "adamm", ["sgd", "adam"])
    "unknown optimizer 'adamm'. Did you mean 'adam'? Known: adam, sgd."
    """
    names = sorted(set(known))
    guess = nearest(name, names)
    hint = f" Did you mean {guess!r}?" if guess else ""
    return f"unknown {kind} {quoted(name)}.{hint} Known: {_listed(names) or 'none'}."


def _listed(names: list[str]) -> str:
    """Return names in a row, as many as fit, and how many more there are."""
    room, shown = _LONGEST_LIST, 0
    while shown < len(names) and len(names[shown]) < room:
        room -= len(names[shown]) + len(", ")
        shown += 1
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest:,} more" if rest else "")
