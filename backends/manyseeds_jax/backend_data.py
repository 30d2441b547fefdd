"""The data of the latest tasks, on the device: cohorts of one task share one copy."""

from __future__ import annotations

from typing import Any, Literal

import jax
import numpy as np

from manyseeds.backend.row_blocks import RowBlock, label_type, row_blocks
from manyseeds.backend.task_cache import TaskCache
from manyseeds.backend.values import Splits
from manyseeds.techniques.network import Network
from manyseeds_jax.lanes import LaneGroups

SplitName = Literal["train", "valid", "test"]


class DeviceData:
    """Splits in a backend's precision, placed where a cohort's lanes are.

    Parameters
    ----------
    dtype
        The type of the inputs.

    Attributes
    ----------
    cache
        The arrays on the device, by task; older tasks make room for newer ones.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self.cache = TaskCache()

    def training_split(
        self, data: Splits, network: Network, groups: LaneGroups
    ) -> tuple[jax.Array, jax.Array]:
        """Return the training inputs [n, features] and labels [n]; they are copied at most once."""
        labels = label_type(network, self._dtype)

        def put() -> tuple[jax.Array, jax.Array]:
            columns = (data.train.inputs.astype(self._dtype), data.train.labels.astype(labels))
            return groups.share(columns)

        return self.cache.once(data, ("train", labels, groups.mesh), put)

    def row_blocks(
        self,
        data: Splits,
        split: SplitName,
        network: Network,
        groups: LaneGroups,
        rows: int,
        *,
        filled: bool,
    ) -> tuple[RowBlock, ...]:
        """Return a split in blocks of rows, copied to the device at most once.

        Parameters
        ----------
        data, split
            The task's data, and the name of the split to return.
        network
            The network, whose loss decides the type of the labels.
        groups
            The lanes that read the blocks.
        rows
            Rows in a block.
        filled
            Whether the last block is filled up to that many rows.
        """
        labels = label_type(network, self._dtype)

        def put() -> tuple[RowBlock, ...]:
            blocks = row_blocks(getattr(data, split), rows, self._dtype, labels, filled=filled)
            return tuple(groups.share(block) for block in blocks)

        return self.cache.once(data, (split, rows, filled, labels, groups.mesh), put)
