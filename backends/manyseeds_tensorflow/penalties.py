"""Penalties on the kernels of stacked lanes: l1 and l2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from manyseeds.techniques.layers import Dense
from manyseeds.techniques.network import Network
from manyseeds_tensorflow.lanes_sums import for_variables, lane_sums, over_repetitions

Hyperparameters = Mapping[str, Any]


def has_penalty(network: Network) -> bool:
    """Return whether any kernel of a network has a penalty."""
    return any(layer.penalty for layer in network.dense())


def penalty(
    network: Network,
    weights: Mapping[str, tf.Tensor],
    hyperparameters: Mapping[str, Hyperparameters],
) -> tf.Tensor:
    """Return the sum of a network's penalties, [lanes]; it must have at least one.

    Keras' regularisers hold their factors in float32, and sum over the lanes.
    """
    terms = [_penalty(layer, weights, hyperparameters[layer.label]) for layer in network.dense()]
    return tf.add_n([term for term in terms if term is not None])


def _penalty(
    layer: Dense, weights: Mapping[str, tf.Tensor], hyperparameters: Hyperparameters
) -> tf.Tensor | None:
    """Return the penalty of a layer's kernel, [lanes]; None where it has none."""
    if layer.penalty is None:
        return None
    kernel = weights[f"{layer.label}/kernel"]
    element = {"l1": tf.abs, "l2": tf.square}
    # One sum serves both: a penalty's hyperparameters are its factors.
    names = layer.penalty.hyperparameters()
    terms = [for_variables(hyperparameters[name]) * element[name](kernel) for name in names]
    return over_repetitions(lane_sums(tf.add_n(terms)))[:, 0, 0]
