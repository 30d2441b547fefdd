"""Scores of lanes on a block of rows in one XLA program, by prediction or by sampling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from manyseeds.techniques.network import Loss
from manyseeds_tensorflow.lanes_turns import in_turns
from manyseeds_tensorflow.layers import ForwardPass
from manyseeds_tensorflow.losses import (
    correct,
    counted_sum,
    losses,
    losses_of_probabilities,
    probabilities,
)
from manyseeds_tensorflow.network import LaneNetwork, dropping_layers
from manyseeds_tensorflow.network_blocks import LayerArguments

EVALUATION_ROWS = {"cpu": 256, "cuda": 1024}
"""Number of rows scored by one call; the same shape serves splits of any length."""

Tree = Any
Tensors = dict[str, tf.Tensor]
BlockScores = tuple[tf.Tensor, ...]
"""The scores of a block of rows: the sum of its losses and the number of correct answers, [lanes]
each, and the outputs, [lanes, rows, outputs]."""


def score(network: LaneNetwork, weights: Tensors, shared: tuple[Tree, ...]) -> BlockScores:
    """Score the lanes on a block of rows by a plain prediction.

    `shared` holds the block and the layers' hyperparameters.
    """
    (inputs, labels, count), hyperparameters = shared
    inputs, labels = _in_all_lanes(network, inputs, labels)
    kind = network.network.loss

    def scores(weights: Tensors) -> BlockScores:
        logits = network(LayerArguments(weights, hyperparameters), inputs).logits
        outputs = probabilities(kind, logits)
        return _sums(kind, losses(kind, logits, labels), outputs, labels, count)

    return _in_turns(network, scores, (weights,), inputs)


def sample(
    network: LaneNetwork, weights: Tensors, keys: Tensors, shared: tuple[Tree, ...]
) -> BlockScores:
    """Score the lanes on a block of rows by the mean of samples with dropout on.

    `shared` holds the block, its place in the sampling, and the layers' hyperparameters.
    """
    (inputs, labels, count), (samples, block, blocks), hyperparameters = shared
    inputs, labels = _in_all_lanes(network, inputs, labels)
    kind, dropping = network.network.loss, dropping_layers(network.network)

    def scores(weights: Tensors, keys: Tensors) -> BlockScores:
        def add(index: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            forward = ForwardPass(tf.cast(index * blocks + block, tf.uint32), count, keys)
            arguments = LayerArguments(weights, hyperparameters, forward, dropping)
            logits = network(arguments, inputs).logits
            return index + 1, total + probabilities(kind, logits)

        units = network.network.output.units
        start = (tf.constant(0), tf.zeros([*inputs.shape[:2], units], inputs.dtype))
        _, total = tf.while_loop(lambda index, _: index < samples, add, start)
        mean = total / tf.cast(samples, total.dtype)
        by_example = losses_of_probabilities(kind, mean, labels)
        return _sums(kind, by_example, mean, labels, count)

    return _in_turns(network, scores, (weights, keys), inputs)


def _in_all_lanes(network: LaneNetwork, *columns: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tuple(tf.broadcast_to(column, (network.lanes, *column.shape)) for column in columns)


def _sums(
    kind: Loss,
    by_example: tf.Tensor,
    outputs: tf.Tensor,
    labels: tf.Tensor,
    count: tf.Tensor,
) -> BlockScores:
    """Return the scores of the first `count` rows, from their losses and outputs."""
    counted = tf.range(by_example.shape[1]) < count
    if kind == "mean_squared_error":
        right = tf.zeros(by_example.shape[:1], tf.int32)
    else:
        hits = correct(kind, outputs, labels) & counted
        right = tf.reduce_sum(tf.cast(hits, tf.int32), axis=-1)
    return counted_sum(by_example, counted), right, outputs


def _in_turns(
    network: LaneNetwork,
    scores: Callable[..., BlockScores],
    arguments: tuple[Tree, ...],
    inputs: tf.Tensor,
) -> BlockScores:
    sums = (tf.TensorSpec([None], inputs.dtype), tf.TensorSpec([None], tf.int32))
    outputs = tf.TensorSpec([*inputs.shape[:2], network.network.output.units], inputs.dtype)
    return in_turns(scores, arguments, (*sums, outputs), network.lanes)
