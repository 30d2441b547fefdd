"""The compiled loop: an epoch's steps of stacked lanes inside one XLA program.

Programs are kept by structure and shapes; everything numeric is a run-time argument, so that
rates, momenta and dropout rates never compile anything again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import tensorflow as tf

from manyseeds.network import Network
from manyseeds_tensorflow import network as networks
from manyseeds_tensorflow import optimizers

Tree = Any


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function as one XLA program per shape of its arguments."""
    return tf.function(function, jit_compile=True, autograph=False)


class Moving(NamedTuple):
    """What a step changes, by the name of the variable, [lanes, ...]: weights and what is kept."""

    weights: dict[str, tf.Tensor]
    slots: dict[str, optimizers.Slots]


class Plan(NamedTuple):
    """An `EpochPlan` in tensors: rows [lanes, steps, batch], rates and momenta [lanes, steps]."""

    batches: tf.Tensor
    rate: tf.Tensor
    momentum: tf.Tensor
    keys: dict[str, tf.Tensor]


class Clock(NamedTuple):
    """What is the same in all lanes: rows of each batch [steps], and steps counted, no axes."""

    rows: tf.Tensor
    noise: tf.Tensor
    taken: tf.Tensor
    stop: tf.Tensor


class LaneProgram:
    """Everything compiled for the networks of one structure.

    Lanes pass through one group after the other, each group through a whole epoch.

    Parameters
    ----------
    network, features, dtype
        As for `LaneNetwork`.
    group
        How many lanes side by side in training.
    scored
        And in evaluation.
    """

    def __init__(
        self, network: Network, features: int, dtype: str, *, group: int, scored: int
    ) -> None:
        self._training = networks.LaneNetwork(network, features, group, dtype)
        self._scoring = networks.LaneNetwork(network, features, scored, dtype)
        self.train = compiled(self._train)
        self.gradient = compiled(self._all_gradients)
        self.score = compiled(self._score)
        self._called: set[Hashable] = set()

    def compile_seconds(self, name: Hashable, arguments: Tree, call: Callable[[], Any]) -> float:
        """Make the first call for arguments of these shapes, if it is one; return its seconds."""
        leaves = tf.nest.flatten(arguments)
        key = (name, tuple((tuple(leaf.shape), str(leaf.dtype)) for leaf in leaves))
        if key in self._called:
            return 0.0
        start = time.perf_counter()
        call()
        self._called.add(key)
        return time.perf_counter() - start

    def _train(
        self, kind: str, moving: Moving, frozen: Tree, plan: Plan, shared: tuple[Tree, ...]
    ) -> tuple[Moving, tf.Tensor]:
        """Take the plan's steps in all lanes; return what has moved and the losses [lanes, steps].

        `shared` is what all lanes have in common: the data, the knobs and the clock.
        """
        data, knobs, clock = shared
        rule = optimizers.RULES[kind]

        def epoch(moving: Moving, frozen: Tree, plan: Plan) -> tuple[Moving, tf.Tensor]:
            def step(
                index: tf.Tensor, moving: Moving, trace: tf.TensorArray
            ) -> tuple[tf.Tensor, Moving, tf.TensorArray]:
                when = (clock.noise + tf.cast(index, tf.uint32), clock.rows[index])
                loss, gradient = self._gradient(
                    moving.weights, frozen, plan.batches[:, index], plan.keys, when, data, knobs
                )
                now = optimizers.Now(
                    number=tf.cast(clock.taken + index + 1, plan.rate.dtype),
                    rate=plan.rate[:, index, None, None],
                    momentum=plan.momentum[:, index, None, None],
                    knobs=knobs["optimizer"],
                )
                moved = {
                    name: rule.update(theta, gradient[name], moving.slots[name], now)
                    for name, theta in moving.weights.items()
                }
                weights, slots = ({name: pair[i] for name, pair in moved.items()} for i in (0, 1))
                return index + 1, Moving(weights, slots), trace.write(index, loss)

            lanes, steps = plan.rate.shape
            trace = tf.TensorArray(plan.rate.dtype, size=steps, element_shape=[lanes])
            start = (tf.constant(0), moving, trace)
            _, moved, trace = tf.while_loop(lambda index, *_: index < clock.stop, step, start)
            return moved, tf.transpose(trace.stack())

        like = (moving, plan.rate)
        moved: tuple[Moving, tf.Tensor] = _by_groups(
            epoch, (moving, frozen, plan), like, self._training.lanes
        )
        return moved

    def _gradient(
        self,
        weights: Tree,
        frozen: Tree,
        batch: tf.Tensor,
        keys: Tree,
        when: networks.When,
        data: Tree,
        knobs: Tree,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Return a batch's mean loss, [lanes], and its gradient for what is trained."""
        inputs, labels = (tf.gather(column, batch) for column in data)
        _, rows = when
        counts = tf.range(batch.shape[1]) < rows
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            everything = {**frozen, **weights}
            logits = self._training.logits(everything, inputs, knobs["network"], keys, when)
            losses = networks.losses(self._training.network.loss, logits, labels)
            sums = _sum_of(losses, counts)
            mean = sums / tf.cast(rows, sums.dtype)
        return mean, tape.gradient(mean, weights)

    def _all_gradients(
        self, weights: Tree, frozen: Tree, batch: tf.Tensor, keys: Tree, shared: tuple[Tree, ...]
    ) -> dict[str, tf.Tensor]:
        """Return the gradient of one batch in all lanes, by the name of its variable."""
        data, knobs, step = shared
        when = (step, tf.constant(batch.shape[1]))

        def gradient(weights: Tree, frozen: Tree, batch: tf.Tensor, keys: Tree) -> Tree:
            return self._gradient(weights, frozen, batch, keys, when, data, knobs)[1]

        found: dict[str, tf.Tensor] = _by_groups(
            gradient, (weights, frozen, batch, keys), weights, self._training.lanes
        )
        return found

    def _score(
        self, outputs: bool, weights: Tree, shared: tuple[Tree, ...]
    ) -> tuple[tf.Tensor, ...]:
        """Score the first rows: sum of losses, number correct, outputs if asked for."""
        inputs, labels, count, knobs = shared
        lanes = self._scoring.lanes
        inputs, labels = (tf.broadcast_to(each, (lanes, *each.shape)) for each in (inputs, labels))
        kind, dtype = self._scoring.network.loss, inputs.dtype
        counts = tf.range(inputs.shape[1]) < count

        def score(weights: Tree) -> tuple[tf.Tensor, ...]:
            logits = self._scoring.logits(weights, inputs, knobs["network"])
            losses = networks.losses(kind, logits, labels)
            loss = _sum_of(losses, counts)
            found = networks.probabilities(kind, logits)
            if kind == "mean_squared_error":
                right = tf.zeros([lanes], tf.int32)
            else:
                correct = networks.correct(kind, found, labels) & counts
                right = tf.reduce_sum(tf.cast(correct, tf.int32), axis=-1)
            return (loss, right, found) if outputs else (loss, right)

        like = tuple(tf.zeros([], of) for of in (dtype, tf.int32, dtype)[: 3 if outputs else 2])
        scores: tuple[tf.Tensor, ...] = _by_groups(score, (weights,), like, lanes)
        return scores


def _sum_of(losses: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """Return the sum of the losses [lanes, rows] that count, [lanes]."""
    return tf.reduce_sum(tf.where(counts, losses, tf.zeros_like(losses)), axis=-1)


def _by_groups(function: Callable[..., Tree], each: Tree, like: Tree, group: int) -> Tree:
    """Call a function with so many lanes of every tensor at a time, and join what it returns.

    Parameters
    ----------
    function
        Takes and returns nests of tensors [group, ...].
    each
        Its arguments, of all lanes.
    like
        Tensors of the types it returns.
    group
        A divisor of the lanes.
    """
    split = tf.nest.map_structure(
        lambda value: tf.reshape(value, (-1, group, *value.shape[1:])), each
    )
    types = tf.nest.map_structure(lambda value: value.dtype, like)
    parts = tf.map_fn(lambda part: function(*part), split, fn_output_signature=types)
    return tf.nest.map_structure(lambda value: tf.reshape(value, (-1, *value.shape[2:])), parts)
