"""The TensorFlow backend: a device, and the programs and data that its cohorts share."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from manyseeds.backend.repeated_layers import layer_runs
from manyseeds.backend.row_blocks import RowBlock, label_type, row_blocks
from manyseeds.backend.settings import Settings
from manyseeds.backend.task_cache import TaskCache
from manyseeds.backend.values import Compilation, Environment, Splits
from manyseeds.techniques.network import Network
from manyseeds_tensorflow import device as devices
from manyseeds_tensorflow.cohort import EVALUATION_ROWS, SplitName, TensorFlowCohort
from manyseeds_tensorflow.program import LaneProgram, spent

Tree = Any

EVALUATION_ELEMENTS = 1 << 26
"""Most elements of one layer's activations at once in evaluation on a GPU."""


class TensorFlowBackend:
    """TensorFlow, opened with its settings; see `manyseeds.backend.protocols.Backend`."""

    def __init__(self, settings: Settings) -> None:
        self.device = devices.open_device(settings)
        self._kept = TaskCache()
        self._programs: dict[Hashable, LaneProgram] = {}
        self.threads = devices.threads(settings) if self.device.kind == "cpu" else 1
        self.pool = ThreadPoolExecutor(self.threads, "manyseeds-lanes")

    def describe(self) -> Environment:
        """Say what this backend runs on."""
        return devices.describe(self.device)

    def cohort(self, network: Network, data: Splits, lanes: int) -> TensorFlowCohort:
        """Return a cohort; compiled programs and data are kept for the next of the same shape."""
        return TensorFlowCohort(self, network, data, lanes)

    def compiled(self) -> Compilation:
        """Return all that was compiled in this process so far."""
        return spent()

    def peak_memory(self) -> int:
        """Return the most device memory used so far, in bytes; 0 on a CPU."""
        return devices.peak_memory(self.device)

    def program(
        self, network: Network, features: int, lanes: int, frozen: Collection[str]
    ) -> LaneProgram:
        """Return the program of a structure; it stays, for TensorFlow would not free it.

        Frozen layers matter only where they decide what is repeated.

        A thread of the CPU takes its lanes one after the other, through a whole epoch each: their
        weights stay in its cache. On a GPU all lanes go side by side.
        """
        group = scored = 1
        if self.device.kind == "cuda":
            group, scored = lanes, _lanes_scored(network, features, lanes)
        cut = tuple(
            (len(run.block), len(run.blocks)) for run in layer_runs(network, features, frozen)
        )
        dtype = str(self.device.dtype)
        key = (network.structure(), features, dtype, group, scored, cut)
        if key not in self._programs:
            with tf.device(self.device.name):
                self._programs[key] = LaneProgram(
                    key, network, features, dtype, frozen, group=group, scored=scored
                )
        return self._programs[key]

    def columns(self, data: Splits, network: Network) -> Tree:
        """Return the training inputs and labels on the device, put there at most once.

        Only the latest tasks' stay.
        """
        labels = label_type(network, self.device.dtype)

        def put() -> Tree:
            columns = (
                data.train.inputs.astype(self.device.dtype),
                data.train.labels.astype(labels),
            )
            return self._put(columns)

        return self._kept.once(data, ("train", labels), put)

    def row_blocks(
        self, data: Splits, split: SplitName, network: Network, rows: int
    ) -> tuple[RowBlock, ...]:
        """Return a split in pieces of so many rows on the device, put there at most once."""
        labels = label_type(network, self.device.dtype)

        def put() -> tuple[RowBlock, ...]:
            parts = row_blocks(getattr(data, split), rows, self.device.dtype, labels)
            return tuple(RowBlock(*self._put(part)) for part in parts)

        return self._kept.once(data, (split, rows, labels), put)

    def _put(self, arrays: Iterable[np.ndarray[Any, Any]]) -> tuple[tf.Tensor, ...]:
        """Return arrays as tensors on the device."""
        with tf.device(self.device.name):
            return tuple(map(tf.constant, arrays))


def _lanes_scored(network: Network, features: int, lanes: int) -> int:
    """Return how many lanes a GPU scores side by side: a divisor of all."""
    widest = max(features, *network.widths(features).values())
    most = max(1, EVALUATION_ELEMENTS // (EVALUATION_ROWS["cuda"] * widest))
    return max(few for few in range(1, min(most, lanes) + 1) if lanes % few == 0)
