"""The noise of `manyseeds.randomness.noise` inside a compiled program, all lanes at once.

TensorFlow has no Threefry operation, so the generator is written here in integer operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from manyseeds.randomness.noise import HALVES, blocks, normal_blocks

_PARITY = 0x1BD11BDA
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry(
    key: tuple[tf.Tensor, tf.Tensor], counter: tuple[tf.Tensor, tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Random123").

    The result is two words, uint32, of the broadcast shape.
    """
    schedule = (*key, key[0] ^ key[1] ^ tf.constant(_PARITY, tf.uint32))
    x0, x1 = counter[0] + schedule[0], counter[1] + schedule[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x0 = x0 + x1
            left = tf.bitwise.left_shift(x1, tf.constant(rotation, tf.uint32))
            x1 = x0 ^ (left | tf.bitwise.right_shift(x1, tf.constant(32 - rotation, tf.uint32)))
        x0 = x0 + schedule[(group + 1) % 3]
        x1 = x1 + schedule[(group + 2) % 3] + tf.constant(group + 1, tf.uint32)
    return x0, x1


def words(key: tf.Tensor, step: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return both words of the first `count` blocks of a step, [lanes, count] uint32 each.

    Parameters
    ----------
    key
        The lanes' keys, [lanes, 2] uint32.
    step
        The second word of the counter, uint32; the first runs over the blocks.
    """
    block = tf.cast(tf.range(count), tf.uint32)[None]
    return threefry((key[:, :1], key[:, 1:]), (block, step))


def halves(
    key: tf.Tensor, step: tf.Tensor, rows: tf.Tensor | int, shape: Sequence[int]
) -> tf.Tensor:
    """Return the noise of a step, uint16 of `shape`.

    Parameters
    ----------
    key, step
        As for `words`.
    rows
        Number of rows of the batch that count; the noise of the others has no meaning. A tensor
        where the last, smaller batch is filled up to the size of the others.
    shape
        [lanes, batch, units], the rows that do not count included.
    """
    lanes, batch, units = shape
    elements = batch * units
    both = words(key, step, blocks(elements))
    used = both[0].shape[1] if isinstance(rows, int) else -(-rows * units // 4)
    halves_of_words = tf.bitcast(_planar(*both, used), tf.uint16)
    return tf.reshape(tf.reshape(halves_of_words, [lanes, -1])[:, :elements], shape)


def shares(noise: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Return the position of each drawn slope between its lower and upper limit, in (0, 1)."""
    return (tf.cast(noise, dtype) + 0.5) / HALVES


def normals(
    key: tf.Tensor, step: tf.Tensor, rows: tf.Tensor | int, shape: Sequence[int], dtype: tf.DType
) -> tf.Tensor:
    """Return unit normals of `shape`; the parameters are those of `halves`."""
    lanes, batch, units = shape
    elements = batch * units
    both = words(key, step, normal_blocks(elements))
    first, second = ((tf.cast(word, dtype) + 0.5) * 2.0**-32 for word in both)
    radius, angle = tf.sqrt(-2 * tf.math.log(first)), 2 * math.pi * second
    used = both[0].shape[1] if isinstance(rows, int) else -(-rows * units // 2)
    pairs = _planar(radius * tf.cos(angle), radius * tf.sin(angle), used)
    return tf.reshape(pairs[:, :elements], [lanes, batch, units])


def dropped(
    inputs: tf.Tensor, noise: tf.Tensor, threshold: tf.Tensor, scale: tf.Tensor
) -> tf.Tensor:
    """Return inputs with elements dropped, and those that are kept scaled up.

    Parameters
    ----------
    inputs, noise
        The inputs, and their noise in the same shape, uint16.
    threshold
        The least half that keeps an element, int32: `manyseeds.randomness.noise.threshold`.
    scale
        The factor of a kept element: `manyseeds.randomness.noise.keep_scale`.
    """
    return tf.where(keep_mask(noise, threshold), inputs * scale, tf.zeros_like(inputs))


def keep_mask(noise: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    """Return whether each element is kept."""
    return tf.cast(noise, tf.int32) >= threshold


def _planar(first: tf.Tensor, second: tf.Tensor, used: tf.Tensor | int) -> tf.Tensor:
    """Return the first values of the first `used` blocks, then their second values.

    Parameters
    ----------
    first, second
        Both values of every block, [lanes, blocks].

    Returns
    -------
    [lanes, 2 blocks]; values after the first 2 `used` ones have no meaning.
    """
    if isinstance(used, int):
        return tf.concat([first, second], axis=1)
    count = first.shape[1]
    # Moving the second values to the end of the first ones is slow, and only the last, smaller
    # batch of an epoch needs it.
    return tf.cond(
        tf.equal(used, count),
        lambda: tf.concat([first, second], axis=1),
        lambda: _moved_up(first, second, used),
    )


def _moved_up(first: tf.Tensor, second: tf.Tensor, used: tf.Tensor) -> tf.Tensor:
    """Return the first `used` of the first values, then the second values."""
    lanes, count = first.shape
    zeros = tf.zeros_like(first)
    padded = tf.concat([zeros, second, zeros], axis=1)
    moved = tf.slice(padded, [0, count - used], [lanes, 2 * count])
    return tf.where(tf.range(2 * count) < used, tf.concat([first, zeros], axis=1), moved)
