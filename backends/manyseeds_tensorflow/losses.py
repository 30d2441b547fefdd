"""The losses of stacked lanes, what their outputs say, and the penalties of their kernels."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from manyseeds.techniques.layers import Dense
from manyseeds.techniques.network import Loss, Network
from manyseeds_tensorflow.layers import Hyperparameters
from manyseeds_tensorflow.sums import for_variables, lane_sums, over_repetitions


def losses(kind: Loss, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the loss of every example, [lanes, batch].

    Parameters
    ----------
    kind
        Which loss.
    logits
        [lanes, batch, outputs]
    labels
        Classes [lanes, batch] as integers; for the other losses targets [lanes, batch] or
        [lanes, batch, outputs].
    """
    if kind == "sparse_cross_entropy":
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    targets = tf.reshape(labels, logits.shape)
    if kind == "binary_cross_entropy":
        each = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
    else:
        each = tf.math.squared_difference(logits, targets)
    return tf.reduce_mean(each, axis=-1)


def losses_of_probabilities(kind: Loss, found: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the loss of every example, [lanes, batch], from its probabilities.

    Probabilities are [lanes, batch, outputs], labels as for `losses`.
    """
    if kind == "sparse_cross_entropy":
        return -tf.math.log(tf.gather(found, labels, batch_dims=2))
    targets = tf.reshape(labels, found.shape)
    if kind == "binary_cross_entropy":
        likely = tf.math.xlogy(targets, found) + tf.math.xlogy(1 - targets, 1 - found)
        return -tf.reduce_mean(likely, axis=-1)
    return tf.reduce_mean(tf.math.squared_difference(found, targets), axis=-1)


def sum_of(losses: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """Return the sum of the losses [lanes, rows] that count, [lanes]."""
    return tf.reduce_sum(tf.where(counts, losses, tf.zeros_like(losses)), axis=-1)


def probabilities(kind: Loss, logits: tf.Tensor) -> tf.Tensor:
    """Return what the output activation makes of logits [lanes, batch, outputs]."""
    if kind == "sparse_cross_entropy":
        return tf.nn.softmax(logits)
    return tf.nn.sigmoid(logits) if kind == "binary_cross_entropy" else logits


def correct(kind: Loss, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return which examples are classified right, [lanes, batch], from their probabilities."""
    if kind == "sparse_cross_entropy":
        return tf.argmax(outputs, axis=-1, output_type=tf.int32) == labels  # the first of equals
    return (outputs[..., 0] > 0.5) == (tf.reshape(labels, outputs.shape[:-1]) > 0.5)


def has_penalty(network: Network) -> bool:
    """Return whether some kernel is penalised."""
    return any(layer.penalty for layer in network.dense())


def penalty(
    network: Network,
    weights: Mapping[str, tf.Tensor],
    hyperparameters: Mapping[str, Hyperparameters],
) -> tf.Tensor:
    """Return the sum of the penalties of a network that has some, [lanes].

    Keras' regularisers hold their factors in float32, and sum over the lanes.
    """
    terms = [_penalty(layer, weights, hyperparameters[layer.label]) for layer in network.dense()]
    return tf.add_n([term for term in terms if term is not None])


def _penalty(
    layer: Dense, weights: Mapping[str, tf.Tensor], hyperparameters: Hyperparameters
) -> tf.Tensor | None:
    if layer.penalty is None:
        return None
    kernel = weights[f"{layer.label}/kernel"]
    each = {"l1": tf.abs, "l2": tf.square}
    # One sum for both: a penalty's numbers are its factors.
    names = layer.penalty.hyperparameters()
    terms = [for_variables(hyperparameters[name]) * each[name](kernel) for name in names]
    return over_repetitions(lane_sums(tf.add_n(terms)))[:, 0, 0]
