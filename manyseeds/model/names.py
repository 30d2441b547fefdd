"""Names and texts of a suite: what they may be, so that files, tables and terminals can show them.

A name ends up in folders, in addresses of pages, in patterns and on command lines. A title or a
sentence may be in any language and script.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field

from manyseeds.errors import printable, quoted, shortened

LONGEST_NAME = 64
"""Characters of the longest name."""
LONGEST_LINE = 500
"""Characters of the longest title, sentence or label."""
LONGEST_TEXT = 10_000
"""Characters of the longest description."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices, in any case and with any ending."""


def name_problem(text: str) -> str | None:
    """Return why a text cannot be a name, and what to write instead; None if it can.

    Examples
    --------
    >>> name_problem("he_normal")
    >>> name_problem("he normal")
    "a name has only letters from a to z, digits, '_', '-' and '.', and begins with a letter or \
a digit, for instance 'he_normal'"
    """
    if not 1 <= len(text) <= LONGEST_NAME:
        return f"a name has 1 to {LONGEST_NAME} characters, this one {len(text):,}"
    if not _NAME.fullmatch(text):
        instead = _similar(text)
        return (
            "a name has only letters from a to z, digits, '_', '-' and '.', and begins with a "
            + (f"letter or a digit, for instance {instead!r}" if instead else "letter or a digit")
        )
    if _RESERVED.fullmatch(text):
        return "this name is kept by Windows for a device: choose another"
    return "a name does not end with a full stop" if text.endswith(".") else None


def _similar(text: str) -> str | None:
    """Return a name as much like a text as can be; None if nothing is left of it."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", plain).strip("_.-")
    return name if name and name_problem(name) is None else None


def _checked_name(value: str) -> str:
    if problem := name_problem(value):
        raise ValueError(problem)
    return value


def text_problem(text: str, longest: int = LONGEST_TEXT) -> str | None:
    r"""Return why a text of a suite cannot be shown as it is; None if it can.

    >>> text_problem("Größe, 大きさ, [b]")
    >>> text_problem("red: \x1b[31m")
    "a text has no control characters, this one has '\\x1b'"
    """
    if len(text) > longest:
        return f"a text here has at most {longest:,} characters, this one {len(text):,}"
    if (shown := printable(text)) != text:
        control = next(a for a, b in zip(text, shown, strict=False) if a != b)
        return f"a text has no control characters, this one has {control!a}"
    return None


def _checked_line(value: str) -> str:
    if problem := text_problem(value, LONGEST_LINE):
        raise ValueError(problem)
    if "\n" in value or "\t" in value:
        raise ValueError("expected a single line, without tabs")
    return value


def _checked_text(value: str) -> str:
    if problem := text_problem(value):
        raise ValueError(problem)
    return value


Name = Annotated[str, AfterValidator(_checked_name)]
"""The name of a suite, recipe, claim, task, network, phase or layer."""

Line = Annotated[str, Field(min_length=1), AfterValidator(_checked_line)]
"""A title, a sentence or a label: any characters that can be shown, on one line."""

Text = Annotated[str, AfterValidator(_checked_text)]
"""A description: any characters that can be shown."""


def check_distinct(kind: str, names: Iterable[str]) -> None:
    """Refuse two things of one kind with one name.

    Names that differ only in capital letters are one name: files of both would be one file on
    Windows and macOS.

    Raises
    ------
    ValueError
        Two share a name; the message names it.

    Examples
    --------
    >>> check_distinct("claims", ["a", "b", "A"])
    Traceback (most recent call last):
    ValueError: two claims are called 'a' and 'A': capital letters do not tell names apart
    """
    given = list(names)
    counts = Counter(name.casefold() for name in given)
    name, count = max(counts.items(), key=lambda entry: entry[1], default=("", 0))
    if count > 1:
        first, second, *_ = (each for each in given if each.casefold() == name)
        both = quoted(first)
        if first != second:
            both += f" and {quoted(second)}: capital letters do not tell names apart"
        raise ValueError(f"two {kind} are called {both}")


def shown_key(key: str) -> str:
    """Return a key of a document as messages show it: bare if TOML would have it bare."""
    return key if name_problem(key) is None else shortened(ascii(key), 80)
