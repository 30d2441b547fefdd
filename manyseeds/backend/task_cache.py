"""What a backend keeps on its device of the latest tasks, for the cohorts that come next."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar, cast

import cachetools

from manyseeds.backend.values import Splits

Kept = TypeVar("Kept")

CACHED_TASKS = 3
"""How many tasks' data stay."""


class TaskCache:
    """What was made of the data of the latest `CACHED_TASKS` tasks."""

    def __init__(self) -> None:
        self._tasks: cachetools.LRUCache[str, dict[Hashable, Any]]
        self._tasks = cachetools.LRUCache(CACHED_TASKS)

    def once(self, data: Splits, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """Return what is kept of a task under a key, made now if it is not there."""
        task = self._tasks.setdefault(data.key, {})
        if key not in task:
            task[key] = make()
        return cast(Kept, task[key])

    def of(self, data: Splits) -> Mapping[Hashable, Any]:
        """Return what is kept of a task, by key."""
        return dict(self._tasks.get(data.key, {}))

    def __len__(self) -> int:
        """Return of how many tasks something is kept."""
        return len(self._tasks)
