"""The noise of `manyseeds.noise` inside a compiled program, all lanes at once.

TensorFlow has no Threefry operation: this is the definition there in `tf` integer operations.
"""

from __future__ import annotations

import tensorflow as tf

from manyseeds.noise import blocks

_PARITY = 0x1BD11BDA
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def _word(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint32)


def _rotate(words: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.left_shift(words, _word(bits)) | tf.bitwise.right_shift(
        words, _word(32 - bits)
    )


def threefry(
    key: tuple[tf.Tensor, tf.Tensor], counter: tuple[tf.Tensor, tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return Threefry-2x32 with 20 rounds: two words, uint32, of the broadcast shape."""
    schedule = (*key, key[0] ^ key[1] ^ _word(_PARITY))
    x0, x1 = counter[0] + schedule[0], counter[1] + schedule[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = x0 ^ _rotate(x1, rotation)
        x0 = x0 + schedule[(group + 1) % 3]
        x1 = x1 + schedule[(group + 2) % 3] + _word(group + 1)
    return x0, x1


def words(key: tf.Tensor, step: tf.Tensor, count: int) -> tf.Tensor:
    """Return the words of a step: x0 of all `count` blocks, then x1, [lanes, 2 count] uint32.

    Parameters
    ----------
    key
        The lanes' keys, [lanes, 2] uint32.
    step
        The second word of the counter, uint32.
    count
        How many blocks; the first word of the counter runs over them.
    """
    block = tf.cast(tf.range(count), tf.uint32)[None]  # XLA has no uint32 range
    return tf.concat(threefry((key[:, :1], key[:, 1:]), (block, step)), axis=1)


def halves(key: tf.Tensor, step: tf.Tensor, elements: int) -> tf.Tensor:
    """Return the noise of a step: [lanes, elements] uint16."""
    pairs = tf.bitcast(words(key, step, blocks(elements)), tf.uint16)
    return tf.reshape(pairs, [key.shape[0], -1])[:, :elements]


def dropout(
    inputs: tf.Tensor, key: tf.Tensor, step: tf.Tensor, threshold: tf.Tensor, scale: tf.Tensor
) -> tf.Tensor:
    """Drop elements of the lanes' inputs and scale up those that are kept.

    Parameters
    ----------
    inputs
        [lanes, batch, units]
    key, step
        As for `words`.
    threshold
        The least half that keeps an element, int32: `manyseeds.noise.threshold`.
    scale
        What a kept element is multiplied by: `manyseeds.noise.keep_scale`.
    """
    _, batch, units = inputs.shape
    noise = tf.reshape(halves(key, step, batch * units), inputs.shape)
    return tf.where(tf.cast(noise, tf.int32) >= threshold, inputs * scale, tf.zeros_like(inputs))
