"""The reading of TOML: every text that is not TOML is refused in one way."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from manyseeds.model.limits import MOST_BYTES

_BYTE_ORDER_MARK = "\ufeff"


class NotTomlError(ValueError):
    """A text is not TOML, or not TOML that is meant for people to read."""


def parse_toml(text: str) -> dict[str, Any]:
    """Return the tables of a text.

    Raises
    ------
    NotTomlError
        The text is not TOML, or is nested so deep, or has so long a number, that Python cannot
        read it.
    """
    try:
        return tomllib.loads(without_mark(text))
    except tomllib.TOMLDecodeError as error:
        raise NotTomlError(str(error)) from None
    except RecursionError:
        raise NotTomlError("lists or tables are nested too deeply") from None
    except ValueError:  # Python reads no number of more than 4,300 digits
        raise NotTomlError("a number is too long") from None


def read_text(path: Path) -> str:
    """Return a file's text, without the mark with which Windows' editors begin UTF-8.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is not UTF-8, or is larger than `limits.MOST_BYTES`.
    """
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES:,} bytes")
    return without_mark(content.decode("utf-8")).replace("\r\n", "\n").replace("\r", "\n")


def without_mark(text: str) -> str:
    """Return a text without its byte order mark."""
    return text.removeprefix(_BYTE_ORDER_MARK)
