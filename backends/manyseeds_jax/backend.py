"""The JAX backend: a device, and the data that its cohorts share."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import cachetools
import numpy as np

from manyseeds.backend import Compilation, Environment, Settings, Splits
from manyseeds.network import Network
from manyseeds.pieces import Piece, pieces
from manyseeds_jax import device as devices
from manyseeds_jax.cohort import JaxCohort, SplitName
from manyseeds_jax.device import Lanes
from manyseeds_jax.programs import spent

Tree = Any

KEPT_TASKS = 3
"""How many tasks' data stay on the device."""


class JaxBackend:
    """JAX, opened with its settings; see `manyseeds.backend.Backend`."""

    def __init__(self, settings: Settings) -> None:
        self.device = devices.open_device(settings)
        self._kept: cachetools.LRUCache[str, dict[Hashable, Tree]]
        self._kept = cachetools.LRUCache(KEPT_TASKS)

    def describe(self) -> Environment:
        """Say what this backend runs on."""
        return devices.describe(self.device)

    def cohort(self, network: Network, data: Splits, lanes: int) -> JaxCohort:
        """Return a cohort; compiled programs and data are kept for the next of the same shape."""
        return JaxCohort(self, network, data, lanes)

    def compiled(self) -> Compilation:
        """Return all that was compiled in this process so far."""
        return spent()

    def peak_memory(self) -> int:
        """Return the most device memory used so far, in bytes; 0 on a CPU."""
        return devices.peak_memory(self.device)

    def columns(self, data: Splits, network: Network, lanes: Lanes) -> Tree:
        """Return the training inputs and labels where the lanes are, put there at most once.

        Only the latest `KEPT_TASKS` tasks stay.
        """
        labels = self._labels(network)

        def put() -> Tree:
            columns = (
                data.train.inputs.astype(self.device.dtype),
                data.train.labels.astype(labels),
            )
            return lanes.share(columns)

        return self._once(data, ("train", labels, lanes.mesh), put)

    def pieces(
        self,
        data: Splits,
        split: SplitName,
        network: Network,
        lanes: Lanes,
        rows: int,
        *,
        filled: bool,
    ) -> tuple[Piece, ...]:
        """Return a split in pieces where the lanes are, put there at most once.

        Parameters
        ----------
        rows
            Of a piece.
        filled
            As for `manyseeds.pieces.pieces`.
        """
        labels = self._labels(network)

        def put() -> tuple[Piece, ...]:
            wanted = (getattr(data, split), rows, self.device.dtype, labels)
            return tuple(lanes.share(part) for part in pieces(*wanted, filled=filled))

        key = (split, rows, filled, labels, lanes.mesh)
        found: tuple[Piece, ...] = self._once(data, key, put)
        return found

    def _labels(self, network: Network) -> np.dtype[Any]:
        """Return the type of the labels: whole numbers for classes."""
        classes = network.loss == "sparse_cross_entropy"
        return np.dtype(np.int32) if classes else self.device.dtype

    def _once(self, data: Splits, key: Hashable, put: Callable[[], Tree]) -> Tree:
        """Return what is kept of a task, made now if it is not there."""
        task = self._kept.setdefault(data.key, {})
        if key not in task:
            task[key] = put()
        return task[key]
