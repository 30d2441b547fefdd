"""Gradient clipping before the optimizer's update, and constraints on the weights after it.

TensorFlow's own clipping by norm also multiplies and divides gradients within the limit, which
rounds them, and its clipping by the global norm would mix the lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from manyseeds.techniques.network import Network
from manyseeds_tensorflow.lanes_sums import for_variables, lane_sums, over_repetitions

Hyperparameters = Mapping[str, Any]
Tensors = dict[str, tf.Tensor]


def clipped(kind: str, gradient: Tensors, hyperparameters: Hyperparameters) -> Tensors:
    """Return the clipped gradient.

    Parameters
    ----------
    kind
        The clipping's name.
    gradient
        The gradient of every variable, by its name, [lanes, ...]; each repetition of a repeated
        layer has a norm of its own.
    hyperparameters
        The clipping's "limit", without axes.
    """
    limit = hyperparameters["limit"]
    if kind == "clip_value":
        return {name: tf.clip_by_value(g, -limit, limit) for name, g in gradient.items()}
    squares = {name: lane_sums(tf.square(g)) for name, g in gradient.items()}
    if kind == "clip_norm":
        return {name: g * _factor(squares[name], limit) for name, g in gradient.items()}
    total = tf.add_n([over_repetitions(square) for square in squares.values()])
    factor = _factor(total, limit)
    deep = factor[:, None]
    return {name: g * (factor if g.shape.rank == 3 else deep) for name, g in gradient.items()}


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
            rescaled[name] = kernel * _factor(squares, radius)
    return weights | rescaled


def with_zeros(weights: Tensors, nonzero: Tensors) -> Tensors:
    """Return the weights, set to 0 where they were 0 when the phase began."""
    return weights | {
        name: tf.where(places, weights[name], tf.zeros_like(weights[name]))
        for name, places in nonzero.items()
    }


def _factor(squares: tf.Tensor, limit: tf.Tensor) -> tf.Tensor:
    """Return the factor that shortens a vector to the limit; 1 for vectors within it."""
    return tf.minimum(tf.ones_like(squares), limit / tf.sqrt(squares))
