"""The noise of `manyseeds.noise` inside a compiled program, all lanes at once.

TensorFlow has no Threefry operation: this is the definition there in `tf` integer operations.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

_PARITY = 0x1BD11BDA
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry(
    key: tuple[tf.Tensor, tf.Tensor], counter: tuple[tf.Tensor, tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return Threefry-2x32 with 20 rounds: two words, uint32, of the broadcast shape."""
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


def words(key: tf.Tensor, step: tf.Tensor, count: int, blocks_used: tf.Tensor) -> tf.Tensor:
    """Return the words of a step: x0 of the blocks used, then their x1, [lanes, count] uint32.

    Parameters
    ----------
    key
        The lanes' keys, [lanes, 2] uint32.
    step
        The second word of the counter, uint32.
    count
        How many words to return; those after the 2 `blocks_used` first mean nothing.
    blocks_used
        How many blocks the step has, int32; the first word of the counter runs over them.
    """
    word = tf.range(count)
    first = word < blocks_used
    block = tf.cast(tf.where(first, word, word - blocks_used), tf.uint32)[None]
    x0, x1 = threefry((key[:, :1], key[:, 1:]), (block, step))
    return tf.where(first, x0, x1)


def halves(key: tf.Tensor, step: tf.Tensor, rows: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Return the noise of a step, uint16 of `shape` [lanes, batch, units].

    Parameters
    ----------
    key, step
        As for `words`.
    rows
        How many rows the batch has, int32; the noise of those after them means nothing.
    shape
        Where the last, smaller batch is padded to the size of the others.
    """
    lanes, batch, units = shape
    elements = batch * units
    drawn = words(key, step, -(-elements // 2), -(-rows * units // 4))
    return tf.reshape(tf.reshape(tf.bitcast(drawn, tf.uint16), [lanes, -1])[:, :elements], shape)


def dropout(
    inputs: tf.Tensor,
    key: tf.Tensor,
    step: tf.Tensor,
    rows: tf.Tensor,
    threshold: tf.Tensor,
    scale: tf.Tensor,
) -> tf.Tensor:
    """Drop elements of the lanes' inputs and scale up those that are kept.

    Parameters
    ----------
    inputs
        [lanes, batch, units]
    key, step, rows
        As for `halves`.
    threshold
        The least half that keeps an element, int32: `manyseeds.noise.threshold`.
    scale
        What a kept element is multiplied by: `manyseeds.noise.keep_scale`.
    """
    noise = tf.cast(halves(key, step, rows, inputs.shape), tf.int32)
    return tf.where(noise >= threshold, inputs * scale, tf.zeros_like(inputs))
