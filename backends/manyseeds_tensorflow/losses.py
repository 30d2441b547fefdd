"""Losses, probabilities and correct answers of stacked outputs [lanes, batch, outputs]."""

from __future__ import annotations

import tensorflow as tf

from manyseeds.techniques.network import Loss


def losses(kind: Loss, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the loss of every example, [lanes, batch].

    Parameters
    ----------
    kind
        The name of the loss.
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
        by_output = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
    else:
        by_output = tf.math.squared_difference(logits, targets)
    return tf.reduce_mean(by_output, axis=-1)


def losses_of_probabilities(kind: Loss, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the loss of every example, [lanes, batch], from its probabilities.

    Outputs are [lanes, batch, outputs], labels as for `losses`.
    """
    if kind == "sparse_cross_entropy":
        return -tf.math.log(tf.gather(outputs, labels, batch_dims=2))
    targets = tf.reshape(labels, outputs.shape)
    if kind == "binary_cross_entropy":
        likelihood = tf.math.xlogy(targets, outputs) + tf.math.xlogy(1 - targets, 1 - outputs)
        return -tf.reduce_mean(likelihood, axis=-1)
    return tf.reduce_mean(tf.math.squared_difference(outputs, targets), axis=-1)


def counted_sum(values: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Return the sum over the rows that count, [lanes], of values [lanes, rows]."""
    return tf.reduce_sum(tf.where(counted, values, tf.zeros_like(values)), axis=-1)


def probabilities(kind: Loss, logits: tf.Tensor) -> tf.Tensor:
    """Return the probabilities of the classes, or of class 1; of a linear output, its values."""
    if kind == "sparse_cross_entropy":
        return tf.nn.softmax(logits)
    return tf.nn.sigmoid(logits) if kind == "binary_cross_entropy" else logits


def correct(kind: Loss, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return whether each example is classified correctly, [lanes, batch], by its probabilities."""
    if kind == "sparse_cross_entropy":
        return tf.argmax(outputs, axis=-1, output_type=tf.int32) == labels  # the first on a tie
    return (outputs[..., 0] > 0.5) == (tf.reshape(labels, outputs.shape[:-1]) > 0.5)
