"""Gradient clipping before an optimizer's step, and what holds for the weights after it.

TensorFlow's own clipping by norm multiplies and divides what is within the limit too, which rounds
it, and its clipping of a whole gradient would mix the lanes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import tensorflow as tf

from manyseeds.network import Network

Knobs = Mapping[str, Any]
Tensors = dict[str, tf.Tensor]
_A_LANE = (1, 2)
_A_UNIT = (1,)


def clipped(kind: str, gradient: Tensors, knobs: Knobs) -> Tensors:
    """Return the gradient as the optimizer sees it.

    Parameters
    ----------
    kind
        The clipping's name.
    gradient
        By the name of its variable, [lanes, ...].
    knobs
        The clipping's, no axes.
    """
    limit = knobs["limit"]
    if kind == "clip_value":
        return {name: tf.clip_by_value(g, -limit, limit) for name, g in gradient.items()}
    squares = {name: _squares(g, _A_LANE) for name, g in gradient.items()}
    if kind == "clip_norm":
        return {name: g * _share(squares[name], limit) for name, g in gradient.items()}
    share = _share(tf.add_n(list(squares.values())), limit)
    return {name: g * share for name, g in gradient.items()}


def constrained(network: Network, weights: Tensors, knobs: Mapping[str, Knobs]) -> Tensors:
    """Return the trained weights with each unit's incoming weights within its max-norm."""
    rescaled = {}
    for layer in network.dense():
        name = f"{layer.label}/kernel"
        if layer.max_norm and name in weights:
            kernel = weights[name]
            share = _share(_squares(kernel, _A_UNIT), knobs[layer.label]["radius"])
            rescaled[name] = kernel * share
    return weights | rescaled


def without_zeros(weights: Tensors, nonzero: Tensors) -> Tensors:
    """Return the weights, 0 where they were 0 as the phase began."""
    return weights | {
        name: tf.where(kept, weights[name], tf.zeros_like(weights[name]))
        for name, kept in nonzero.items()
    }


def _squares(values: tf.Tensor, axes: Collection[int]) -> tf.Tensor:
    """Return the sum of the squares over some axes, which stay, of length 1."""
    return tf.reduce_sum(tf.square(values), axis=axes, keepdims=True)


def _share(squares: tf.Tensor, limit: tf.Tensor) -> tf.Tensor:
    """Return what a vector is multiplied by to be no longer than the limit."""
    return tf.minimum(tf.ones_like(squares), limit / tf.sqrt(squares))
