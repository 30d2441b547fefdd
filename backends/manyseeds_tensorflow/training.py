"""The compiled loop: an epoch's steps of stacked lanes inside one XLA program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf

from manyseeds_tensorflow import clipping, optimizers
from manyseeds_tensorflow.augmentation import Changes, augmented
from manyseeds_tensorflow.blocks import Given
from manyseeds_tensorflow.groups import by_groups
from manyseeds_tensorflow.layers import Step
from manyseeds_tensorflow.losses import has_penalty, losses, penalty, sum_of
from manyseeds_tensorflow.network import LaneNetwork, training_layers

Tree = Any
Tensors = dict[str, tf.Tensor]


class Kinds(NamedTuple):
    """What a program is compiled for, beside the network: names of techniques."""

    optimizer: str
    clipping: str | None


class Moving(NamedTuple):
    """What a step changes, [lanes, ...], by the layers that stand for all (`stacks`).

    Attributes
    ----------
    weights, averages
        Trained variables and moving averages, by "layer/variable".
    slots
        What the optimizer keeps of every trained variable.
    product
        Of the momenta that the optimizer has scheduled, [lanes, 1, 1]; none where it does not.
    """

    weights: Tensors
    averages: Tensors
    slots: dict[str, optimizers.Slots]
    product: tuple[tf.Tensor, ...] = ()

    def bare(self) -> Moving:
        """Return the variables alone."""
        return Moving(self.weights, self.averages, {})


class Still(NamedTuple):
    """What a phase keeps, [lanes, ...], by "layer/variable".

    Attributes
    ----------
    frozen
        The variables of frozen layers.
    nonzero
        Where zeros are kept: which weights of the trained kernels were none.
    """

    frozen: Tensors
    nonzero: Tensors

    def labels(self) -> frozenset[str]:
        """Return the frozen layers."""
        return frozenset(name.split("/")[0] for name in self.frozen)


class Seen(NamedTuple):
    """What a step sees: rows of the training split, keys of the noise, changes of the images.

    In a plan, rows and changes are [lanes, steps, batch, ...], in a step [lanes, batch, ...]; keys
    are [lanes, 2], by label. Changes are none where nothing is augmented.
    """

    rows: tf.Tensor
    keys: Tensors
    changes: Changes | tuple[()] = ()

    def step(self, index: tf.Tensor) -> Seen:
        """Return what one step of a plan sees."""
        rows, *changes = (tf.gather(each, index, axis=1) for each in (self.rows, *self.changes))
        return Seen(rows, self.keys, Changes(*changes) if changes else ())


class Plan(NamedTuple):
    """An `EpochPlan` in tensors; rates and momenta are [lanes, steps]."""

    seen: Seen
    rate: tf.Tensor
    momentum: tf.Tensor


class Clock(NamedTuple):
    """What is the same in all lanes: rows of each batch [steps], and steps counted, no axes."""

    rows: tf.Tensor
    noise: tf.Tensor
    taken: tf.Tensor
    stop: tf.Tensor


class Slope(NamedTuple):
    """What a batch says of the weights.

    Attributes
    ----------
    trace
        Its mean loss and, where the network has some, its penalty: [lanes] each, by name.
    gradient
        Of their sum, by trained variable.
    averages
        The moving averages, moved by its forward pass.
    """

    trace: Tensors
    gradient: Tensors
    averages: Tensors


@dataclass(frozen=True)
class Trainer:
    """What all lanes and steps have in common.

    Attributes
    ----------
    network
        The networks of a group of lanes.
    data
        Inputs and labels of the training split.
    hyperparameters
        Of the layers by label under "network"; of the "optimizer"; of the "clipping".
    """

    network: LaneNetwork
    data: Tree
    hyperparameters: Mapping[str, Any]

    def epoch(
        self, kinds: Kinds, clock: Clock, moving: Moving, still: Still, plan: Plan
    ) -> tuple[Moving, Tensors]:
        """Take a plan's steps in a group of lanes; see `train`."""

        def step(index: tf.Tensor, moving: Moving, trace: Tree) -> tuple[tf.Tensor, Moving, Tree]:
            number = clock.noise + tf.cast(index, tf.uint32)
            when = Step(number, tf.gather(clock.rows, index), plan.seen.keys)
            slope = self.slope(moving, still, plan.seen.step(index), when)
            now = self._now(kinds, moving, plan, clock.taken + index + 1, index)
            moved = self._moved(kinds, moving, still, slope, now)
            return index + 1, moved, {n: trace[n].write(index, slope.trace[n]) for n in trace}

        lanes, steps = plan.rate.shape
        trace = {
            name: tf.TensorArray(plan.rate.dtype, size=steps, element_shape=[lanes])
            for name in traced(self.network)
        }
        start = (tf.constant(0), moving, trace)
        _, moved, trace = tf.while_loop(lambda index, *_: index < clock.stop, step, start)
        return moved, {name: tf.transpose(each.stack()) for name, each in trace.items()}

    def slope(self, moving: Moving, still: Still, seen: Seen, when: Step) -> Slope:
        """Pass a batch forwards, in training mode, and backwards."""
        inputs, labels = batch_of(seen, self.data)
        definition, hyperparameters = self.network.network, self.hyperparameters["network"]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(moving.weights)
            weights = {**still.frozen, **moving.averages, **moving.weights}
            active = training_layers(definition, still.labels())
            given = Given(weights, hyperparameters, when, active)
            forward = self.network(given, inputs, trained=moving.weights)
            each = losses(definition.loss, forward.logits, labels)
            sums = sum_of(each, tf.range(inputs.shape[1]) < when.rows)
            trace = {"loss": sums / tf.cast(when.rows, sums.dtype)}
            if has_penalty(definition):
                trace["penalty"] = penalty(definition, weights, hyperparameters)
            whole = tf.add_n(list(trace.values()))
        return Slope(trace, tape.gradient(whole, moving.weights), forward.averages)

    def _now(
        self, kinds: Kinds, moving: Moving, plan: Plan, taken: tf.Tensor, index: tf.Tensor
    ) -> optimizers.Now:
        """Return a step of a plan as the optimizer sees it."""
        scheduled, hyperparameters = (
            optimizers.RULES[kinds.optimizer].scheduled,
            self.hyperparameters["optimizer"],
        )
        number = tf.cast(taken, plan.rate.dtype)
        product = (
            () if scheduled is None else (moving.product[0] * scheduled(number, hyperparameters),)
        )
        rate, momentum = (
            tf.reshape(tf.gather(each, index, axis=1), [-1, 1, 1])
            for each in (plan.rate, plan.momentum)
        )
        return optimizers.Now(number, rate, momentum, hyperparameters, product)

    def _moved(
        self, kinds: Kinds, moving: Moving, still: Still, slope: Slope, now: optimizers.Now
    ) -> Moving:
        """Clip, let the optimizer move what is trained, and see to what holds after its step."""
        gradient = slope.gradient
        if kinds.clipping:
            gradient = clipping.clipped(kinds.clipping, gradient, self.hyperparameters["clipping"])
        rule, ranks = optimizers.RULES[kinds.optimizer], {g.shape.rank for g in gradient.values()}
        updates = {rank: rule.step(now.along(rank)) for rank in sorted(ranks)}
        moved = {
            name: updates[theta.shape.rank](theta, gradient[name], moving.slots[name])
            for name, theta in moving.weights.items()
        }
        weights, slots = ({name: pair[i] for name, pair in moved.items()} for i in (0, 1))
        weights = clipping.constrained(
            self.network.network, weights, self.hyperparameters["network"]
        )
        weights = clipping.without_zeros(weights, still.nonzero)
        return Moving(weights, slope.averages, slots, now.product)


def train(
    network: LaneNetwork,
    kinds: Kinds,
    moving: Moving,
    still: Still,
    plan: Plan,
    shared: tuple[Tree, ...],
) -> tuple[Moving, Tensors]:
    """Take the plan's steps in all lanes.

    `shared` is what all lanes have in common: the data, the hyperparameters and the clock. Returned
    is what has moved, and the losses and penalties of the steps, [lanes, steps] each, by name.
    """
    data, hyperparameters, clock = shared
    epoch = partial(Trainer(network, data, hyperparameters).epoch, kinds, clock)
    like = (moving, dict.fromkeys(traced(network), plan.rate))
    moved: tuple[Moving, Tensors] = by_groups(epoch, (moving, still, plan), like, network.lanes)
    return moved


def gradient(
    network: LaneNetwork, moving: Moving, still: Still, seen: Seen, shared: tuple[Tree, ...]
) -> Tensors:
    """Return the gradient of one batch in all lanes, before clipping, by variable.

    `shared` is the data, the hyperparameters and the step in the noise counter.
    """
    data, hyperparameters, number = shared
    trainer = Trainer(network, data, hyperparameters)

    def slope(moving: Moving, still: Still, seen: Seen) -> Tensors:
        when = Step(number, seen.rows.shape[1], seen.keys)
        return trainer.slope(moving, still, seen, when).gradient

    found: Tensors = by_groups(slope, (moving, still, seen), moving.weights, network.lanes)
    return found


def batch_of(seen: Seen, data: Tree) -> tuple[tf.Tensor, tf.Tensor]:
    """Return a batch's inputs, changed where they are augmented, and its labels."""
    images, labels = data
    inputs = (
        augmented(images, seen.rows, seen.changes) if seen.changes else tf.gather(images, seen.rows)
    )
    return inputs, tf.gather(labels, seen.rows)


def traced(network: LaneNetwork) -> tuple[str, ...]:
    """Return what is noted of every step."""
    return ("loss", "penalty") if has_penalty(network.network) else ("loss",)
