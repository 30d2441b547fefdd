"""Sums over all that a lane has of something."""

from __future__ import annotations

import tensorflow as tf


def lane_sums(values: tf.Tensor) -> tf.Tensor:
    """Return the sum of all elements of each lane, [lanes, 1, 1], of values [lanes, rows, units].

    Of repeated layers there is a sum for each repetition, [lanes, repetitions, 1, 1].

    On a CPU, XLA adds up all elements one after the other, but all columns side by side: columns
    come first, and their product with ones keeps XLA from making one sum of two.
    """
    columns = tf.reduce_sum(values, axis=-2, keepdims=True)
    *leading, _, units = columns.shape
    return tf.matmul(columns, tf.ones([*leading, units, 1], values.dtype))


def over_repetitions(sums: tf.Tensor) -> tf.Tensor:
    """Return the sum over what `lane_sums` gives for each repetition, [lanes, 1, 1]."""
    return sums if sums.shape.rank == 3 else tf.reduce_sum(sums, axis=1)


def for_variables(hyperparameter: tf.Tensor) -> tf.Tensor:
    """Return a number, or one for each repetition, as it goes with variables [..., rows, units]."""
    return hyperparameter[:, None, None] if len(hyperparameter.shape) else hyperparameter
