"""The JAX backend: a device, and the data that its cohorts share."""

from __future__ import annotations

from typing import Any

from manyseeds.backend.row_blocks import RowBlock, label_type, row_blocks
from manyseeds.backend.settings import Settings
from manyseeds.backend.task_cache import TaskCache
from manyseeds.backend.values import Compilation, Environment, Splits
from manyseeds.techniques.network import Network
from manyseeds_jax import device as devices
from manyseeds_jax.cohort import JaxCohort, SplitName
from manyseeds_jax.device import Lanes
from manyseeds_jax.programs import spent

Tree = Any


class JaxBackend:
    """JAX, opened with its settings; see `manyseeds.backend.protocols.Backend`."""

    def __init__(self, settings: Settings) -> None:
        self.device = devices.open_device(settings)
        self._kept = TaskCache()

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

        Only the latest tasks' stay.
        """
        labels = label_type(network, self.device.dtype)

        def put() -> Tree:
            columns = (
                data.train.inputs.astype(self.device.dtype),
                data.train.labels.astype(labels),
            )
            return lanes.share(columns)

        return self._kept.once(data, ("train", labels, lanes.mesh), put)

    def row_blocks(
        self,
        data: Splits,
        split: SplitName,
        network: Network,
        lanes: Lanes,
        rows: int,
        *,
        filled: bool,
    ) -> tuple[RowBlock, ...]:
        """Return a split in pieces where the lanes are, put there at most once.

        Parameters
        ----------
        rows
            Of a piece.
        filled
            As for `manyseeds.backend.row_blocks.row_blocks`.
        """
        labels = label_type(network, self.device.dtype)

        def put() -> tuple[RowBlock, ...]:
            wanted = (getattr(data, split), rows, self.device.dtype, labels)
            return tuple(lanes.share(part) for part in row_blocks(*wanted, filled=filled))

        key = (split, rows, filled, labels, lanes.mesh)
        return self._kept.once(data, key, put)
