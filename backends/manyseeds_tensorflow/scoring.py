"""Scoring lanes on a piece of a split in one XLA program: as they predict, or with dropout on."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from manyseeds.techniques.network import Loss
from manyseeds_tensorflow.blocks import Given
from manyseeds_tensorflow.groups import by_groups
from manyseeds_tensorflow.layers import Step
from manyseeds_tensorflow.losses import (
    correct,
    losses,
    losses_of_probabilities,
    probabilities,
    sum_of,
)
from manyseeds_tensorflow.network import LaneNetwork, dropping_layers

Tree = Any
Tensors = dict[str, tf.Tensor]


def score(
    network: LaneNetwork, weights: Tensors, shared: tuple[Tree, ...]
) -> tuple[tf.Tensor, ...]:
    """Score a piece: sum of losses, number right and outputs, by lane.

    `shared` is the piece and the layers' hyperparameters.
    """
    (inputs, labels, count), hyperparameters = shared
    inputs, labels = _in_all_lanes(network, inputs, labels)
    kind = network.network.loss

    def scored(weights: Tensors) -> tuple[tf.Tensor, ...]:
        logits = network(Given(weights, hyperparameters), inputs).logits
        found = probabilities(kind, logits)
        return _sums(kind, losses(kind, logits, labels), found, labels, count)

    return _by_groups(network, scored, (weights,), inputs)


def sample(
    network: LaneNetwork, weights: Tensors, keys: Tensors, shared: tuple[Tree, ...]
) -> tuple[tf.Tensor, ...]:
    """Score a piece by the mean of samples with dropout on; returned is what `score` does.

    `shared` is the piece, how it is sampled, and the layers' hyperparameters.
    """
    (inputs, labels, count), (samples, block, blocks), hyperparameters = shared
    inputs, labels = _in_all_lanes(network, inputs, labels)
    kind, active = network.network.loss, dropping_layers(network.network)

    def scored(weights: Tensors, keys: Tensors) -> tuple[tf.Tensor, ...]:
        def add(index: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            step = Step(tf.cast(index * blocks + block, tf.uint32), count, keys)
            logits = network(Given(weights, hyperparameters, step, active), inputs).logits
            return index + 1, total + probabilities(kind, logits)

        units = network.network.output.units
        start = (tf.constant(0), tf.zeros([*inputs.shape[:2], units], inputs.dtype))
        _, total = tf.while_loop(lambda index, _: index < samples, add, start)
        mean = total / tf.cast(samples, total.dtype)
        each = losses_of_probabilities(kind, mean, labels)
        return _sums(kind, each, mean, labels, count)

    return _by_groups(network, scored, (weights, keys), inputs)


def _in_all_lanes(network: LaneNetwork, *columns: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tuple(tf.broadcast_to(each, (network.lanes, *each.shape)) for each in columns)


def _sums(
    kind: Loss,
    each: tf.Tensor,
    found: tf.Tensor,
    labels: tf.Tensor,
    count: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """Return the sum of the first losses, how many are right, and the outputs."""
    counts = tf.range(each.shape[1]) < count
    if kind == "mean_squared_error":
        right = tf.zeros(each.shape[:1], tf.int32)
    else:
        hits = correct(kind, found, labels) & counts
        right = tf.reduce_sum(tf.cast(hits, tf.int32), axis=-1)
    return sum_of(each, counts), right, found


def _by_groups(
    network: LaneNetwork, scored: Any, each: Tree, inputs: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    sums = (tf.TensorSpec([None], inputs.dtype), tf.TensorSpec([None], tf.int32))
    found = tf.TensorSpec([*inputs.shape[:2], network.network.output.units], inputs.dtype)
    scores: tuple[tf.Tensor, ...] = by_groups(scored, each, (*sums, found), network.lanes)
    return scores
