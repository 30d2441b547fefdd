"""Epoch plans and batches as tensors on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyseeds.backend.values import EpochPlan, Floats
from manyseeds.techniques.augmentation import Changes
from manyseeds_pytorch.augmentation import DeviceChanges, augmented
from manyseeds_pytorch.device import OpenDevice
from manyseeds_pytorch.optimizers_base import StepRate


@dataclass(frozen=True)
class DeviceRows:
    """Rows of the training split, [lanes, n], and the changes to their images.

    Attributes
    ----------
    rows
        [lanes, n].
    changes
        [lanes, n, ...]; None if nothing is augmented.
    """

    rows: Tensor
    changes: DeviceChanges | None

    @classmethod
    def put(
        cls, rows: NDArray[np.int32], changes: Changes | None, device: OpenDevice
    ) -> DeviceRows:
        """Return rows and changes as tensors on the device."""
        tensor = torch.from_numpy(rows.astype(np.int64)).to(device.torch_device)
        return cls(tensor, None if changes is None else DeviceChanges.put(changes, device))

    def examples(self, positions: slice) -> DeviceRows:
        """Return some of the rows of every lane."""
        changes = None if self.changes is None else self.changes.examples(positions)
        return DeviceRows(self.rows[:, positions], changes)


@dataclass(frozen=True)
class DeviceBatch:
    """A batch in every lane.

    Attributes
    ----------
    inputs
        [lanes, batch, features], augmented.
    labels
        Classes [lanes, batch], or targets [lanes, batch, units].
    """

    inputs: Tensor
    labels: Tensor

    @classmethod
    def take(cls, split: tuple[Tensor, Tensor], rows: DeviceRows) -> DeviceBatch:
        """Return rows of a split's inputs [n, features] and labels [n, ...]."""
        inputs, labels = split
        flat, shape = rows.rows.flatten(), rows.rows.shape
        batch = inputs.index_select(0, flat).view(*shape, -1)
        batch_labels = labels.index_select(0, flat).view(*shape, *labels.shape[1:])
        if rows.changes is not None:
            batch = augmented(batch, rows.changes)
        return cls(batch, batch_labels)


@dataclass(frozen=True)
class DevicePlan:
    """An epoch plan on the device.

    Attributes
    ----------
    plan
        The plan on the host.
    rows
        The plan's rows in order, with their changes.
    rate, momentum
        [steps, lanes, 1, 1]; the momentum is None for an optimizer without one.
    """

    plan: EpochPlan
    rows: DeviceRows
    rate: Tensor
    momentum: Tensor | None

    @classmethod
    def put(cls, plan: EpochPlan, device: OpenDevice) -> DevicePlan:
        """Return a plan on the device."""
        return cls(
            plan,
            DeviceRows.put(plan.order, plan.changes, device),
            _by_step(plan.rate, device),
            None if plan.momentum is None else _by_step(plan.momentum, device),
        )

    def batch_rows(self, step: int) -> DeviceRows:
        """Return the rows of a step's batch."""
        return self.rows.examples(slice(step * self.plan.batch, (step + 1) * self.plan.batch))

    def step_rate(self, step: int) -> StepRate:
        """Return the learning rate and momentum of a step."""
        momentum = None if self.momentum is None else self.momentum[step]
        return StepRate(self.rate[step], momentum, self.plan.rate[:, step])


def _by_step(values: Floats, device: OpenDevice) -> Tensor:
    """Return values [lanes, steps] as [steps, lanes, 1, 1] on the device."""
    columns = torch.from_numpy(np.ascontiguousarray(values.T))
    return columns.to(device.torch_device, device.dtype)[:, :, None, None]
