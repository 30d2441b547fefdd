"""The differences between two texts of a suite, key by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from manyseeds.model.toml_text import NotTomlError, parse_toml

_SHOWN = 12
"""Keys listed; the rest is counted."""


def changes(before: str, after: str) -> list[str]:
    """Return the differences from one suite text to another, one line per key, at most a dozen.

    Texts that differ only in comments or layout give one line that says so.
    """
    first, second = dict(_flat(_parsed(before))), dict(_flat(_parsed(after)))
    keys = dict.fromkeys([*first, *second])
    lines = [
        _line(key, first.get(key), second.get(key))
        for key in keys
        if first.get(key) != second.get(key)
    ]
    if not lines:
        return ["only comments or layout differ"]
    rest = len(lines) - _SHOWN
    return lines[:_SHOWN] + ([f"and {rest} more keys"] if rest > 0 else [])


def _parsed(text: str) -> Any:
    try:
        return parse_toml(text)
    except NotTomlError:
        return {"text": text}


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every leaf with its path; members of a list go by their name or label, if any."""
    if isinstance(value, Mapping) and (value or not key):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for number, item in enumerate(value):
            yield from _flat(item, f"{key}[{_called(item, number)}]")
    else:
        yield key, repr(value)


def _called(item: Any, number: int) -> Any:
    named = isinstance(item, Mapping)
    return (item.get("name") or item.get("label") or number) if named else number


def _line(key: str, before: str | None, after: str | None) -> str:
    if before is None:
        return f"{key} added: {_short(after)}"
    if after is None:
        return f"{key} removed: {_short(before)}"
    return f"{key}: {_short(before)} → {_short(after)}"


def _short(text: str | None) -> str:
    text = " ".join(str(text).split())
    return text if len(text) <= 80 else text[:77] + "…"
