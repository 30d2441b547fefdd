"""Copies of a cohort's plans, batches and noise keys from the host to the device."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from manyseeds.backend.values import Batch, EpochPlan
from manyseeds.techniques.augmentation import Changes
from manyseeds_jax.augmentation import DeviceChanges
from manyseeds_jax.lanes import LaneGroups
from manyseeds_jax.network import StepNoise
from manyseeds_jax.network_layout import NetworkLayout
from manyseeds_jax.training_arrays import DeviceBatch, DevicePlan


@dataclass(frozen=True)
class Transfer:
    """Copies plans, batches and noise keys to the device during one phase.

    Attributes
    ----------
    groups
        The cohort's lanes.
    layout
        The layout of their network.
    noises
        The labels of all noises of the network.
    dtype
        The cohort's precision.
    """

    groups: LaneGroups
    layout: NetworkLayout
    noises: tuple[str, ...]
    dtype: np.dtype[Any]

    def plan(self, epoch: EpochPlan) -> DevicePlan:
        """Return a plan on the device; optimizers without a momentum get zeros."""
        momentum = np.zeros_like(epoch.rate) if epoch.momentum is None else epoch.momentum
        order = np.asarray(epoch.order, np.int32)
        series = (order, epoch.rate.astype(self.dtype), momentum.astype(self.dtype))
        rows, rates, momenta = self.groups.put(series)
        noise = self._step_noise(epoch.noise, self.noises, epoch.step, len(order))
        return DevicePlan(rows, rates, momenta, noise, self._changes(epoch.changes))

    def batch(self, batch: Batch, *, noisy: bool = True) -> DeviceBatch:
        """Return a batch on the device, with its noise keys or with none."""
        rows = np.asarray(batch.rows, np.int32)
        labels = self.noises if noisy else ()
        noise = self._step_noise(batch.noise, labels, batch.step, len(rows))
        return DeviceBatch(self.groups.put(rows), noise, self._changes(batch.changes))

    def keys(self, keys: Mapping[str, Any], labels: Collection[str]) -> dict[str, jax.Array]:
        """Return the keys of some noises on the device, [lanes, 2] by label."""
        return self.groups.put(self._stacked(keys, labels))

    def _step_noise(
        self, keys: Mapping[str, Any], labels: Collection[str], step: int, lanes: int
    ) -> StepNoise:
        steps = np.full(lanes, step, np.uint32)
        return StepNoise(*self.groups.put((self._stacked(keys, labels), steps)))

    def _stacked(self, keys: Mapping[str, Any], labels: Collection[str]) -> dict[str, Any]:
        return self.layout.stacked({label: keys[label] for label in labels}, axis=1)

    def _changes(self, changes: Changes | None) -> DeviceChanges | None:
        if changes is None:
            return None
        arrays = (changes.affine, changes.gain, changes.offset)
        return DeviceChanges(*self.groups.put(tuple(part.astype(self.dtype) for part in arrays)))
