"""Sums over the elements of each lane's variables, for norms and penalties."""

from __future__ import annotations

import tensorflow as tf


def lane_sums(values: tf.Tensor) -> tf.Tensor:
    """Return the sum of the elements of each lane, [lanes, 1, 1], of values [lanes, rows, units].

    Repeated layers have a sum for each repetition, [lanes, repetitions, 1, 1].

    On a CPU, XLA adds up all elements one after the other, but columns side by side. So the columns
    are summed first, and a product with ones keeps XLA from merging the two sums into one.
    """
    columns = tf.reduce_sum(values, axis=-2, keepdims=True)
    *leading, _, units = columns.shape
    return tf.matmul(columns, tf.ones([*leading, units, 1], values.dtype))


def over_repetitions(sums: tf.Tensor) -> tf.Tensor:
    """Return the total of the `lane_sums` of all repetitions, [lanes, 1, 1]."""
    return sums if sums.shape.rank == 3 else tf.reduce_sum(sums, axis=1)


def for_variables(hyperparameter: tf.Tensor) -> tf.Tensor:
    """Return a number, or one per repetition, in a shape that broadcasts to [..., rows, units]."""
    return hyperparameter[:, None, None] if len(hyperparameter.shape) else hyperparameter
