"""The arrays that training programs take and return, as pytrees.

Shapes are those one lane sees; on the device, all arrays but `SharedArrays` have a leading axis
of lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from manyseeds_jax.augmentation import DeviceChanges
from manyseeds_jax.network import Hyperparameters, StepNoise
from manyseeds_jax.network_variables import LaneWeights

Tree = Any


class SharedArrays(NamedTuple):
    """Arrays that all lanes read.

    Attributes
    ----------
    inputs, labels
        The training split, [n, features] and [n].
    network, optimizer, clipping
        Numeric hyperparameters; the last two are empty except in training.
    """

    inputs: jax.Array
    labels: jax.Array
    network: Hyperparameters
    optimizer: Mapping[str, Any]
    clipping: Mapping[str, jax.Array]


class DeviceBatch(NamedTuple):
    """One lane's batch: rows [batch] of the split, their noise, and changes to their images."""

    rows: jax.Array
    noise: StepNoise
    changes: DeviceChanges | None


class DevicePlan(NamedTuple):
    """One lane's part of an `EpochPlan`: rows and changes [n, ...], rate and momentum [steps].

    The noise is that of the first step.
    """

    rows: jax.Array
    rate: jax.Array
    momentum: jax.Array
    noise: StepNoise
    changes: DeviceChanges | None


class PlanStep(NamedTuple):
    """One step of a lane's plan: rows and changes [batch, ...]; the others without axes."""

    rows: jax.Array
    changes: DeviceChanges | None
    rate: jax.Array
    momentum: jax.Array
    number: jax.Array


class Moving(NamedTuple):
    """Arrays that a step changes: trained weights, moving averages, the optimizer's state."""

    trained: Tree
    averages: Tree
    optimizer: Tree


class Fixed(NamedTuple):
    """Arrays that stay the same during a phase.

    Attributes
    ----------
    frozen
        The weights of frozen layers.
    nonzero
        For kernels whose zeros stay zeros, by label: whether each weight may differ from 0.
    """

    frozen: Tree
    nonzero: Mapping[str, jax.Array]


class BatchGradient(NamedTuple):
    """Loss and penalty of a batch, the gradient of their sum, and the averages it has moved."""

    loss: jax.Array
    penalty: jax.Array | None
    gradient: Tree
    averages: Tree


def all_weights(moving: Moving, fixed: Fixed) -> LaneWeights:
    """Return all weights of a lane in training."""
    return LaneWeights(moving.trained, fixed.frozen, moving.averages)
