"""The step loop: an epoch of stacked lanes inside one XLA program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import tensorflow as tf

from manyseeds_tensorflow import clipping, optimizers
from manyseeds_tensorflow.augmentation import augmented
from manyseeds_tensorflow.lanes_turns import in_turns
from manyseeds_tensorflow.layers import ForwardPass
from manyseeds_tensorflow.losses import counted_sum, losses
from manyseeds_tensorflow.network import LaneNetwork, training_layers
from manyseeds_tensorflow.network_blocks import LayerArguments
from manyseeds_tensorflow.penalties import has_penalty, penalty
from manyseeds_tensorflow.training_plans import DeviceBatch, DevicePlan
from manyseeds_tensorflow.training_state import (
    BatchGradient,
    Fixed,
    Moving,
    StepCounts,
    StepTechniques,
    Tensors,
)

Tree = Any


@dataclass(frozen=True)
class Trainer:
    """Trains lanes side by side.

    Attributes
    ----------
    network
        The networks of these lanes.
    data
        Inputs and labels of the training split.
    hyperparameters
        Under "network" those of the layers, by label; under "optimizer" and "clipping" the others.
    """

    network: LaneNetwork
    data: Tree
    hyperparameters: Mapping[str, Any]

    def epoch(
        self,
        techniques: StepTechniques,
        counts: StepCounts,
        moving: Moving,
        fixed: Fixed,
        plan: DevicePlan,
    ) -> tuple[Moving, Tensors]:
        """Take the steps of a plan; see `train`."""

        def step(index: tf.Tensor, moving: Moving, trace: Tree) -> tuple[tf.Tensor, Moving, Tree]:
            number = counts.noise + tf.cast(index, tf.uint32)
            forward = ForwardPass(number, tf.gather(counts.rows, index), plan.batches.keys)
            batch = self.batch_gradient(moving, fixed, plan.batches.step(index), forward)
            own = self._optimizer_step(techniques, moving, plan, counts.taken + index + 1, index)
            moved = self._moved(techniques, moving, fixed, batch, own)
            return index + 1, moved, {n: trace[n].write(index, batch.trace[n]) for n in trace}

        lanes, steps = plan.rate.shape
        trace = {
            name: tf.TensorArray(plan.rate.dtype, size=steps, element_shape=[lanes])
            for name in traced(self.network)
        }
        start = (tf.constant(0), moving, trace)
        _, moved, trace = tf.while_loop(lambda index, *_: index < counts.stop, step, start)
        return moved, {name: tf.transpose(array.stack()) for name, array in trace.items()}

    def batch_gradient(
        self, moving: Moving, fixed: Fixed, batch: DeviceBatch, forward: ForwardPass
    ) -> BatchGradient:
        """Pass a batch forwards, in training mode, and backwards."""
        inputs, labels = inputs_and_labels(batch, self.data)
        definition, hyperparameters = self.network.network, self.hyperparameters["network"]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(moving.weights)
            weights = {**fixed.frozen, **moving.averages, **moving.weights}
            active = training_layers(definition, fixed.labels())
            arguments = LayerArguments(weights, hyperparameters, forward, active)
            outputs = self.network(arguments, inputs, trained=moving.weights)
            by_example = losses(definition.loss, outputs.logits, labels)
            sums = counted_sum(by_example, tf.range(inputs.shape[1]) < forward.rows)
            trace = {"loss": sums / tf.cast(forward.rows, sums.dtype)}
            if has_penalty(definition):
                trace["penalty"] = penalty(definition, weights, hyperparameters)
            total = tf.add_n(list(trace.values()))
        return BatchGradient(trace, tape.gradient(total, moving.weights), outputs.averages)

    def _optimizer_step(
        self,
        techniques: StepTechniques,
        moving: Moving,
        plan: DevicePlan,
        taken: tf.Tensor,
        index: tf.Tensor,
    ) -> optimizers.OptimizerStep:
        """Return a step of a plan as the optimizer sees it."""
        scheduled = optimizers.RULES[techniques.optimizer].scheduled
        hyperparameters = self.hyperparameters["optimizer"]
        number = tf.cast(taken, plan.rate.dtype)
        product = (
            () if scheduled is None else (moving.product[0] * scheduled(number, hyperparameters),)
        )
        rate, momentum = (
            tf.reshape(tf.gather(values, index, axis=1), [-1, 1, 1])
            for values in (plan.rate, plan.momentum)
        )
        return optimizers.OptimizerStep(number, rate, momentum, hyperparameters, product)

    def _moved(
        self,
        techniques: StepTechniques,
        moving: Moving,
        fixed: Fixed,
        batch: BatchGradient,
        step: optimizers.OptimizerStep,
    ) -> Moving:
        """Clip the gradient, let the optimizer move the weights, and constrain them."""
        gradient = batch.gradient
        if techniques.clipping:
            limits = self.hyperparameters["clipping"]
            gradient = clipping.clipped(techniques.clipping, gradient, limits)
        rule = optimizers.RULES[techniques.optimizer]
        ranks = {g.shape.rank for g in gradient.values()}
        updates = {rank: rule.update(step.for_rank(rank)) for rank in sorted(ranks)}
        moved = {
            name: updates[theta.shape.rank](theta, gradient[name], moving.slots[name])
            for name, theta in moving.weights.items()
        }
        weights, slots = ({name: pair[i] for name, pair in moved.items()} for i in (0, 1))
        weights = clipping.constrained(
            self.network.network, weights, self.hyperparameters["network"]
        )
        weights = clipping.with_zeros(weights, fixed.nonzero)
        return Moving(weights, batch.averages, slots, step.product)


def train(
    network: LaneNetwork,
    techniques: StepTechniques,
    moving: Moving,
    fixed: Fixed,
    plan: DevicePlan,
    shared: tuple[Tree, ...],
) -> tuple[Moving, Tensors]:
    """Take the plan's steps in all lanes.

    Parameters
    ----------
    network, techniques
        The networks, and the techniques that the program is compiled for.
    moving, fixed, plan
        [lanes, ...]
    shared
        The same for all lanes: the data, the hyperparameters, and a `StepCounts`.

    Returns
    -------
    The tensors that moved, and the losses and penalties of the steps, [lanes, steps] each, by name.
    """
    data, hyperparameters, counts = shared
    epoch = partial(Trainer(network, data, hyperparameters).epoch, techniques, counts)
    like = (moving, dict.fromkeys(traced(network), plan.rate))
    return in_turns(epoch, (moving, fixed, plan), like, network.lanes)


def gradient(
    network: LaneNetwork,
    moving: Moving,
    fixed: Fixed,
    batch: DeviceBatch,
    shared: tuple[Tree, ...],
) -> Tensors:
    """Return the gradient of one batch in all lanes, before clipping, by variable.

    `shared` holds the data, the hyperparameters and the step in the noise counter.
    """
    data, hyperparameters, step = shared
    trainer = Trainer(network, data, hyperparameters)

    def of_lanes(moving: Moving, fixed: Fixed, batch: DeviceBatch) -> Tensors:
        forward = ForwardPass(step, batch.rows.shape[1], batch.keys)
        return trainer.batch_gradient(moving, fixed, batch, forward).gradient

    return in_turns(of_lanes, (moving, fixed, batch), moving.weights, network.lanes)


def inputs_and_labels(batch: DeviceBatch, data: Tree) -> tuple[tf.Tensor, tf.Tensor]:
    """Return a batch's inputs, augmented if there are changes, and its labels."""
    images, labels = data
    inputs = (
        augmented(images, batch.rows, batch.changes)
        if batch.changes
        else tf.gather(images, batch.rows)
    )
    return inputs, tf.gather(labels, batch.rows)


def traced(network: LaneNetwork) -> tuple[str, ...]:
    """Return the names of the numbers that are recorded at every step."""
    return ("loss", "penalty") if has_penalty(network.network) else ("loss",)
