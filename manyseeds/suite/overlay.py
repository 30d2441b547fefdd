"""The quick form of a suite: a partial document laid over the full one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manyseeds.errors import RequestError, unknown
from manyseeds.suite.document import Table


def overlaid(base: Table, overlay: Table) -> dict[str, Any]:
    """Return a document with another laid over it: tables merge key by key, the rest is replaced.

    In a list of named tables, such as [[claims]], the tables that [quick.claims.NAME] names merge.

    Raises
    ------
    RequestError
        The overlay names a table that is not in the list.

    Examples
    --------
    >>> overlaid({"seeds": 100, "tasks": {"a": {"valid": 5000}}}, {"tasks": {"a": {"valid": 500}}})
    {'seeds': 100, 'tasks': {'a': {'valid': 500}}}
    """
    merged = dict(base)
    for key, value in overlay.items():
        under = merged.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            merged[key] = overlaid(under, value)
        elif isinstance(value, Mapping) and isinstance(under, list) and _are_named(under):
            merged[key] = _overlaid_by_name(key, under, value)
        else:
            merged[key] = value
    return merged


def _are_named(tables: list[Any]) -> bool:
    return bool(tables) and all(
        isinstance(table, Mapping) and isinstance(table.get("name"), str) for table in tables
    )


def _overlaid_by_name(key: str, base: list[Table], overlay: Table) -> list[Table]:
    names = [table["name"] for table in base]
    for name, table in overlay.items():
        if name not in names:
            raise RequestError(f"quick.{key}: {unknown(key.removesuffix('s'), name, names)}")
        if not isinstance(table, Mapping):
            raise RequestError(f"quick.{key}.{name}: expected a table")
    return [overlaid(table, overlay.get(table["name"], {})) for table in base]
