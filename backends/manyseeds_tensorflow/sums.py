"""Sums over all that a lane has of something."""

from __future__ import annotations

import tensorflow as tf


def lane_sums(values: tf.Tensor) -> tf.Tensor:
    """Return the sum of all elements of each lane, [lanes, 1, 1], of values [lanes, rows, units].

    On a CPU, XLA adds up all elements one after the other, but all columns side by side: columns
    come first, and their product with ones keeps XLA from making one sum of two.
    """
    columns = tf.reduce_sum(values, axis=1, keepdims=True)
    lanes, _, units = columns.shape
    return tf.matmul(columns, tf.ones([lanes, units, 1], values.dtype))
