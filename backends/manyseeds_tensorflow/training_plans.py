"""Plans and batches as a compiled program takes them: arrays first, then tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from manyseeds.backend.values import EpochPlan
from manyseeds.techniques.augmentation import Changes
from manyseeds_tensorflow.augmentation import DeviceChanges

Array = NDArray[Any]
Noise = Mapping[str, NDArray[np.uint32]]


class DeviceBatch(NamedTuple):
    """The examples of a step: rows of the training split, keys of the noise, changes of the images.

    In a plan, rows and changes are [lanes, steps, batch, ...], in a step [lanes, batch, ...]. Keys
    are [lanes, 2], by label. Changes are empty where nothing is augmented.
    """

    rows: tf.Tensor
    keys: dict[str, tf.Tensor]
    changes: DeviceChanges | tuple[()] = ()

    def step(self, index: tf.Tensor) -> DeviceBatch:
        """Return the batch of one step of a plan."""
        rows, *changes = (tf.gather(values, index, axis=1) for values in (self.rows, *self.changes))
        return DeviceBatch(rows, self.keys, DeviceChanges(*changes) if changes else ())


class DevicePlan(NamedTuple):
    """An `EpochPlan` in tensors; rates and momenta are [lanes, steps]."""

    batches: DeviceBatch
    rate: tf.Tensor
    momentum: tf.Tensor


def batch_arrays(
    rows: NDArray[np.int32], keys: Noise, changes: Changes | None, dtype: np.dtype[Any]
) -> DeviceBatch:
    """Return a batch as arrays [lanes, ...], the changes of its images in the precision `dtype`."""
    return _arrays(rows, keys, changes, dtype, lambda array: array)


def plan_arrays(
    epoch: EpochPlan, keys: Noise, training_rows: int, dtype: np.dtype[Any]
) -> tuple[DevicePlan, NDArray[np.int32]]:
    """Return a plan as arrays [lanes, steps, ...], and the rows that count in each batch, [steps].

    The last, smaller batch is filled up with rows that do not count, so that one compiled step
    serves all batches, even a plan of the smaller batch alone.

    Parameters
    ----------
    epoch
        The plan.
    keys
        The plan's noise keys, stacked where layers are repeated.
    training_rows
        Number of rows in the training split, the most that a batch can have.
    dtype
        The precision of rates, momenta and changes.
    """
    lanes, total = epoch.order.shape
    batch = min(epoch.batch, training_rows)
    rows = np.minimum(batch, total - np.arange(epoch.step_count) * batch)

    def by_step(array: Array) -> Array:
        missing = [(0, 0), (0, batch - rows[-1])] + [(0, 0)] * (array.ndim - 2)
        filled = np.pad(array, missing, "edge")
        return filled.reshape(lanes, epoch.step_count, batch, *array.shape[2:])

    batches = _arrays(epoch.order, keys, epoch.changes, dtype, by_step)
    momentum = np.zeros_like(epoch.rate) if epoch.momentum is None else epoch.momentum
    plan = DevicePlan(batches, epoch.rate.astype(dtype), momentum.astype(dtype))
    return plan, rows.astype(np.int32)


def _arrays(
    rows: NDArray[np.int32],
    keys: Noise,
    changes: Changes | None,
    dtype: np.dtype[Any],
    arrange: Callable[[Array], Array],
) -> DeviceBatch:
    """Return rows, keys and changes as arrays; rows and changes are arranged."""
    images = () if changes is None else (changes.affine, changes.gain, changes.offset)
    arranged = [arrange(np.asarray(values, dtype)) for values in images]
    return DeviceBatch(
        arrange(np.asarray(rows, np.int32)),
        dict(keys),
        DeviceChanges(*arranged) if arranged else (),
    )
