"""Checks that hold for every value of a suite file, whatever its key."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from manyseeds.model.limits import MOST_NESTED, MOST_VALUES
from manyseeds.model.names import name_problem, shown_key, text_problem

_MOST_WHOLE = 2**63


def is_whole(value: Any) -> TypeGuard[int]:
    """Return whether a value is a whole number; true and false are none, though Python has it so.

    >>> is_whole(3), is_whole(True), is_whole(3.0)
    (True, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool)


def value_problem(tables: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first key whose value no suite can have, and what is wrong; None if all is well.

    Examples
    --------
    >>> value_problem({"phases": {"a": {"rate": float("nan")}}})
    ('phases.a.rate', 'expected a finite number, not nan')
    """
    waiting: list[tuple[str, Any, int]] = [("", tables, 0)]
    seen = 0
    while waiting:
        key, value, depth = waiting.pop()
        seen += 1
        if problem := _problem(value):
            return key, problem
        inner = list(_parts(key, value))
        if inner and depth == MOST_NESTED:
            return key, f"more than {MOST_NESTED} tables and lists are nested here"
        if len(waiting) + len(inner) + seen > MOST_VALUES:
            return key, f"a suite has at most {MOST_VALUES:,} values"
        for name in value if isinstance(value, Mapping) else ():
            if problem := name_problem(name):
                return _joined(key, shown_key(name)), f"this key is no name: {problem}"
        waiting += [(place, part, depth + 1) for place, part in reversed(inner)]
    return None


def _parts(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((_joined(key, shown_key(name)), part) for name, part in value.items())
    elif isinstance(value, list):
        yield from ((f"{key}[{index}]", part) for index, part in enumerate(value))


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _problem(value: Any) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return f"expected a finite number, not {value}"
    if is_whole(value) and not -_MOST_WHOLE <= value < _MOST_WHOLE:
        return "this number is too large: TOML has whole numbers of 64 bits"
    if isinstance(value, str):
        return text_problem(value)
    return None
