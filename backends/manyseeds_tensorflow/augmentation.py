"""Changed images inside the training step: what `techniques.augmentation.augmented` defines."""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf


class Changes(NamedTuple):
    """`manyseeds.techniques.augmentation.Changes` in tensors: [..., 2, 3], and [...] twice."""

    affine: tf.Tensor
    gain: tf.Tensor
    offset: tf.Tensor


def augmented(images: tf.Tensor, rows: tf.Tensor, changes: Changes) -> tf.Tensor:
    """Return changed images, [lanes, batch, features].

    Parameters
    ----------
    images
        Square images, [n, features]. Pixels are looked up in all of them: a batch that is gathered
        first would be gathered anew for each corner of each pixel.
    rows
        Which of them, [lanes, batch].
    changes
        Of each image, [lanes, batch, ...].
    """
    features = images.shape[1]
    side = math.isqrt(features)
    x, y = _old_places(changes.affine, side)
    pixels, first = tf.reshape(images, [-1]), rows[..., None] * features
    lines = [
        weight * _between(pixels, first + row * side, _neighbours(x, side))
        for row, weight in _neighbours(y, side)
    ]
    values = tf.add_n(lines)
    mean = tf.reduce_mean(values, axis=-1, keepdims=True)
    return (values - mean) * changes.gain[..., None] + mean + changes.offset[..., None]


Neighbours = list[tuple[tf.Tensor, tf.Tensor]]
"""Two pixels' places along an axis with their weights."""


def _old_places(affine: tf.Tensor, side: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the columns and rows that the pixels show, [lanes, batch, features] each."""
    centre = (side - 1) / 2
    along = tf.range(side, dtype=affine.dtype) - centre
    x, y = tf.tile(along, [side]), tf.repeat(along, side)
    old = affine[..., :1] * x + affine[..., 1:2] * y + affine[..., 2:] + centre
    return old[..., 0, :], old[..., 1, :]


def _neighbours(place: tf.Tensor, side: int) -> Neighbours:
    """Return the pixels below and above places; those outside the image weigh nothing."""
    low = tf.floor(place)
    part = place - low
    found = []
    for above, weight in ((0, 1 - part), (1, part)):
        pixel = tf.cast(low, tf.int32) + above
        inside = (pixel >= 0) & (pixel < side)
        found.append(
            (tf.clip_by_value(pixel, 0, side - 1), tf.where(inside, weight, tf.zeros_like(weight)))
        )
    return found


def _between(pixels: tf.Tensor, line: tf.Tensor, columns: Neighbours) -> tf.Tensor:
    """Return the values between the columns' pixels of lines that start at these places."""
    return tf.add_n([weight * tf.gather(pixels, line + column) for column, weight in columns])
