"""The tensors of a training step, as named tuples that pass into a compiled program and out."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from manyseeds_tensorflow.optimizers import Slots

Tensors = dict[str, tf.Tensor]


class StepTechniques(NamedTuple):
    """The techniques, beside the network's, that a training program is compiled for."""

    optimizer: str
    clipping: str | None


class Moving(NamedTuple):
    """The tensors a step changes, [lanes, ...]; repeated layers are stacked (`network_stacks`).

    Attributes
    ----------
    weights, averages
        Trained variables and moving averages, by "layer/variable".
    slots
        The optimizer's state of every trained variable.
    product
        The product of all momenta the optimizer has scheduled, [lanes, 1, 1]; empty for optimizers
        that schedule none.
    """

    weights: Tensors
    averages: Tensors
    slots: dict[str, Slots]
    product: tuple[tf.Tensor, ...] = ()

    def without_optimizer(self) -> Moving:
        """Return the variables alone."""
        return Moving(self.weights, self.averages, {})


class Fixed(NamedTuple):
    """The tensors that stay the same during a phase, [lanes, ...], by "layer/variable".

    Attributes
    ----------
    frozen
        The variables of frozen layers.
    nonzero
        For phases that keep zeros: whether each trained kernel weight was not 0 at the start.
    """

    frozen: Tensors
    nonzero: Tensors

    def labels(self) -> frozenset[str]:
        """Return the labels of the frozen layers."""
        return frozenset(name.split("/")[0] for name in self.frozen)


class StepCounts(NamedTuple):
    """Counts that are the same in all lanes.

    Attributes
    ----------
    rows
        Rows of each batch, [steps].
    noise
        The first step's number in the noise counter, uint32.
    taken
        Steps taken in this phase so far.
    stop
        Number of steps of the plan to take.
    """

    rows: tf.Tensor
    noise: tf.Tensor
    taken: tf.Tensor
    stop: tf.Tensor


class BatchGradient(NamedTuple):
    """The loss of a batch and its gradient.

    Attributes
    ----------
    trace
        The mean loss and, for a network that has one, the penalty: [lanes] each, by name.
    gradient
        The gradient of their sum, by trained variable.
    averages
        The moving averages after the forward pass.
    """

    trace: Tensors
    gradient: Tensors
    averages: Tensors
