"""The streams that a command prints to: any encoding, a terminal or a file."""

from __future__ import annotations

import codecs
import sys
import unicodedata
from io import TextIOWrapper

from rich.console import Console

_HANDLER = "manyseeds.look-alikes"

_LOOK_ALIKES = {
    "–": "-",
    "—": "-",
    "−": "-",
    "‑": "-",
    "·": "-",
    "…": "...",
    "×": "x",
    "±": "+/-",
    "≥": ">=",
    "≤": "<=",
    "→": "->",
    "≈": "~",
    "№": "No.",
    "„": '"',
    "“": '"',
    "”": '"',
    "«": '"',
    "»": '"',
    "‘": "'",
    "’": "'",
    "\u00a0": " ",
    "\u202f": " ",
    "\u2009": " ",
}
"""Characters of our texts, and what stands for them where a stream has no such character."""


def is_live(shown: Console) -> bool:
    """Return whether what a console shows can be replaced: on a terminal that is not dumb."""
    isatty = getattr(shown.file, "isatty", None)
    return bool(isatty and isatty()) and not shown.is_dumb_terminal


def take_any_character() -> None:
    """Let standard output and standard error print every character in some form.

    In ASCII or an old encoding, characters that it lacks become similar ones, else their numbers.
    """
    codecs.register_error(_HANDLER, _look_alike)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # not None, and no stand-in of a test or notebook
            stream.reconfigure(errors=_HANDLER)


def _look_alike(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(map(_plain, missing)), error.end


def _plain(letter: str) -> str:
    """Return what stands for a letter in ASCII: one like it, without its accent, or its number."""
    known = _LOOK_ALIKES.get(letter) or unicodedata.normalize("NFD", letter)[0]
    return known if known.isascii() else letter.encode("ascii", "backslashreplace").decode("ascii")
