"""A backend's cache of the latest tasks' data, so that later cohorts find them on the device."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar, cast

import cachetools

from manyseeds.backend.values import Splits

CacheEntry = TypeVar("CacheEntry")

CACHED_TASKS = 3
"""Number of tasks whose data are cached."""


class TaskCache:
    """Objects made from the data of the latest `CACHED_TASKS` tasks; the oldest task goes first."""

    def __init__(self) -> None:
        self._tasks: cachetools.LRUCache[str, dict[Hashable, Any]]
        self._tasks = cachetools.LRUCache(CACHED_TASKS)

    def once(self, data: Splits, key: Hashable, make: Callable[[], CacheEntry]) -> CacheEntry:
        """Return a task's entry under a key; `make` it first if the cache does not have it."""
        entries = self._tasks.setdefault(data.key, {})
        if key not in entries:
            entries[key] = make()
        return cast(CacheEntry, entries[key])

    def of(self, data: Splits) -> Mapping[Hashable, Any]:
        """Return a task's entries, by key."""
        return dict(self._tasks.get(data.key, {}))

    def __len__(self) -> int:
        """Return the number of cached tasks."""
        return len(self._tasks)
