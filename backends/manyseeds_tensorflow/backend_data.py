"""The data of the latest tasks on the device, shared by all cohorts of a backend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from manyseeds.backend.row_blocks import RowBlock, label_type, row_blocks
from manyseeds.backend.task_cache import TaskCache
from manyseeds.backend.values import Splits
from manyseeds.techniques.network import Network
from manyseeds_tensorflow.device import OpenDevice

Columns = tuple[tf.Tensor, tf.Tensor]
"""Inputs [n, features] and labels [n]."""
SplitName = Literal["train", "valid", "test"]


class DeviceData:
    """Splits as tensors on a device; each is copied there at most once."""

    def __init__(self, device: OpenDevice) -> None:
        self._device = device
        self._tasks = TaskCache()

    def training_columns(self, data: Splits, network: Network) -> Columns:
        """Return the training inputs [n, features] and labels [n]; they are copied at most once."""
        dtype = self._device.dtype
        labels = label_type(network, dtype)

        def copy() -> Columns:
            columns = (data.train.inputs.astype(dtype), data.train.labels.astype(labels))
            return self._on_device(columns)

        return self._tasks.once(data, ("train", labels), copy)

    def row_blocks(
        self, data: Splits, split: SplitName, network: Network, rows: int
    ) -> tuple[RowBlock, ...]:
        """Return a split in blocks of `rows` rows, the last one filled up; copied at most once."""
        dtype = self._device.dtype
        labels = label_type(network, dtype)

        def copy() -> tuple[RowBlock, ...]:
            blocks = row_blocks(getattr(data, split), rows, dtype, labels)
            return tuple(RowBlock(*self._on_device(block)) for block in blocks)

        return self._tasks.once(data, (split, rows, labels), copy)

    def _on_device(self, arrays: Iterable[np.ndarray[Any, Any]]) -> tuple[Any, ...]:
        with tf.device(self._device.name):
            return tuple(map(tf.constant, arrays))
