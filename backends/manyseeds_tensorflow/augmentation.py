"""Changed images inside the training step: what `manyseeds.augmentation.augmented` defines."""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf


class Changes(NamedTuple):
    """`manyseeds.augmentation.Changes` in tensors: [..., 2, 3], and [...] twice."""

    affine: tf.Tensor
    gain: tf.Tensor
    offset: tf.Tensor


def augmented(inputs: tf.Tensor, changes: Changes) -> tf.Tensor:
    """Return changed images.

    Parameters
    ----------
    inputs
        [lanes, batch, features], square images row by row.
    changes
        Of each image, [lanes, batch, ...].
    """
    features = inputs.shape[-1]
    side = math.isqrt(features)
    images = tf.reshape(inputs, [-1, side, side])
    x, y = _old_places(tf.reshape(changes.affine, [-1, 2, 3]), side)
    values = tf.reshape(_interpolated(images, x, y), inputs.shape)
    mean = tf.reduce_mean(values, axis=-1, keepdims=True)
    return (values - mean) * changes.gain[..., None] + mean + changes.offset[..., None]


def _old_places(affine: tf.Tensor, side: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the columns and rows that the pixels show, [n, features] each."""
    centre = (side - 1) / 2
    along = tf.range(side, dtype=affine.dtype) - centre
    x, y = tf.tile(along, [side]), tf.repeat(along, side)
    old = affine[..., :1] * x + affine[..., 1:2] * y + affine[..., 2:] + centre
    return old[:, 0], old[:, 1]


def _interpolated(images: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Return what images [n, side, side] show at places [n, features], 0 outside, bilinearly."""
    side = images.shape[1]
    # With a border of zeros, whatever lies outside can be looked up on the border.
    bordered = tf.reshape(tf.pad(images, [[0, 0], [1, 1], [1, 1]]), [-1, (side + 2) ** 2])
    left, top = tf.floor(x), tf.floor(y)
    column, row = (tf.cast(low, tf.int32) for low in (left, top))

    def corner(right: int, below: int) -> tf.Tensor:
        across, down = (
            tf.clip_by_value(place + 1, 0, side + 1) for place in (column + right, row + below)
        )
        weight = tf.abs(1 - right - (x - left)) * tf.abs(1 - below - (y - top))
        return weight * tf.gather(bordered, down * (side + 2) + across, batch_dims=1)

    return tf.add_n([corner(right, below) for right in (0, 1) for below in (0, 1)])
