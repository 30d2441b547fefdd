"""Changed images inside the training step, as `techniques.augmentation.augmented` defines them."""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf


class DeviceChanges(NamedTuple):
    """`manyseeds.techniques.augmentation.Changes` as tensors.

    Attributes
    ----------
    affine
        [..., 2, 3]
    gain, offset
        [...]
    """

    affine: tf.Tensor
    gain: tf.Tensor
    offset: tf.Tensor


def augmented(images: tf.Tensor, rows: tf.Tensor, changes: DeviceChanges) -> tf.Tensor:
    """Return changed images, [lanes, batch, features].

    Parameters
    ----------
    images
        Square images, [n, features]. Pixels are looked up in all of them: if the batch were
        gathered first, XLA would gather it anew for each corner of each pixel.
    rows
        The images to change, [lanes, batch].
    changes
        A change for every image, [lanes, batch, ...].
    """
    features = images.shape[1]
    side = math.isqrt(features)
    x, y = _source_places(changes.affine, side)
    pixels, first = tf.reshape(images, [-1]), rows[..., None] * features
    lines = [
        weight * _interpolated(pixels, first + row * side, _neighbours(x, side))
        for row, weight in _neighbours(y, side)
    ]
    values = tf.add_n(lines)
    mean = tf.reduce_mean(values, axis=-1, keepdims=True)
    return (values - mean) * changes.gain[..., None] + mean + changes.offset[..., None]


Neighbours = list[tuple[tf.Tensor, tf.Tensor]]
"""The places of two pixels along an axis, each with its weight."""


def _source_places(affine: tf.Tensor, side: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the columns and rows the pixels are taken from, [lanes, batch, features] each."""
    centre = (side - 1) / 2
    along = tf.range(side, dtype=affine.dtype) - centre
    x, y = tf.tile(along, [side]), tf.repeat(along, side)
    source = affine[..., :1] * x + affine[..., 1:2] * y + affine[..., 2:] + centre
    return source[..., 0, :], source[..., 1, :]


def _neighbours(place: tf.Tensor, side: int) -> Neighbours:
    """Return the two pixels around each place along an axis; weights outside the image are 0."""
    low = tf.floor(place)
    part = place - low
    neighbours = []
    for above, weight in ((0, 1 - part), (1, part)):
        pixel = tf.cast(low, tf.int32) + above
        inside = (pixel >= 0) & (pixel < side)
        neighbours.append(
            (tf.clip_by_value(pixel, 0, side - 1), tf.where(inside, weight, tf.zeros_like(weight)))
        )
    return neighbours


def _interpolated(pixels: tf.Tensor, line: tf.Tensor, columns: Neighbours) -> tf.Tensor:
    """Return the values interpolated between two columns, on the lines that start at `line`."""
    return tf.add_n([weight * tf.gather(pixels, line + column) for column, weight in columns])
