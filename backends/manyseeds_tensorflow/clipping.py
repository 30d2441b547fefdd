"""Gradient clipping before an optimizer's step, and what holds for the weights after it.

TensorFlow's own clipping by norm multiplies and divides what is within the limit too, which rounds
it, and its clipping of a whole gradient would mix the lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from manyseeds.techniques.network import Network
from manyseeds_tensorflow.sums import for_variables, lane_sums, over_repetitions

Hyperparameters = Mapping[str, Any]
Tensors = dict[str, tf.Tensor]


def clipped(kind: str, gradient: Tensors, hyperparameters: Hyperparameters) -> Tensors:
    """Return the gradient as the optimizer sees it.

    Parameters
    ----------
    kind
        The clipping's name.
    gradient
        By the name of its variable, [lanes, ...]; a repeated layer's has a norm for each
        repetition.
    hyperparameters
        The clipping's, no axes.
    """
    limit = hyperparameters["limit"]
    if kind == "clip_value":
        return {name: tf.clip_by_value(g, -limit, limit) for name, g in gradient.items()}
    squares = {name: lane_sums(tf.square(g)) for name, g in gradient.items()}
    if kind == "clip_norm":
        return {name: g * _share(squares[name], limit) for name, g in gradient.items()}
    whole = tf.add_n([over_repetitions(square) for square in squares.values()])
    share = _share(whole, limit)
    deep = share[:, None]
    return {name: g * (share if g.shape.rank == 3 else deep) for name, g in gradient.items()}


def constrained(
    network: Network, weights: Tensors, hyperparameters: Mapping[str, Hyperparameters]
) -> Tensors:
    """Return the trained weights with each unit's incoming weights within its max-norm."""
    rescaled = {}
    for layer in network.dense():
        name = f"{layer.label}/kernel"
        if layer.max_norm and name in weights:
            kernel = weights[name]
            squares = tf.reduce_sum(tf.square(kernel), axis=-2, keepdims=True)
            radius = for_variables(hyperparameters[layer.label]["radius"])
            rescaled[name] = kernel * _share(squares, radius)
    return weights | rescaled


def without_zeros(weights: Tensors, nonzero: Tensors) -> Tensors:
    """Return the weights, 0 where they were 0 as the phase began."""
    return weights | {
        name: tf.where(kept, weights[name], tf.zeros_like(weights[name]))
        for name, kept in nonzero.items()
    }


def _share(squares: tf.Tensor, limit: tf.Tensor) -> tf.Tensor:
    """Return what a vector is multiplied by to be no longer than the limit."""
    return tf.minimum(tf.ones_like(squares), limit / tf.sqrt(squares))
