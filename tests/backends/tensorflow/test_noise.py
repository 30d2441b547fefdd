"""Threefry noise against Random123's known answers and the definition in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from manyseeds.randomness import noise as definition
from manyseeds_tensorflow import noise

KNOWN_ANSWERS = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("key", "counter", "answer"), KNOWN_ANSWERS)
def test_threefry_gives_the_known_answers_of_random123(key, counter, answer):
    words = tf.function(noise.threefry, jit_compile=True)(
        tuple(tf.constant(word, tf.uint32) for word in key),
        tuple(tf.constant(word, tf.uint32) for word in counter),
    )
    assert tuple(int(word) for word in words) == answer


@pytest.mark.parametrize(("batch", "units"), [(1, 1), (4, 1), (5, 6), (11, 93)])
def test_halves_are_those_of_the_definition_in_a_padded_batch_too(batch, units):
    keys = np.array([[0, 0], [1, 2**32 - 1], [123456789, 987654321]], np.uint32)
    halves = tf.function(
        lambda key, step, rows: noise.halves(key, step, rows, (3, batch, units)),
        jit_compile=True,
        autograph=False,
    )
    for step, rows in ((0, batch), (3, batch), (2**32 - 1, batch), (3, 1), (3, -(-batch // 2))):
        result = halves(tf.constant(keys), tf.constant(step, tf.uint32), tf.constant(rows)).numpy()
        expected = definition.halves(keys, step, rows * units)
        np.testing.assert_array_equal(result[:, :rows].reshape(3, -1), expected)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5])
def test_dropout_keeps_and_scales_what_the_definition_keeps(rate):
    keys = np.array([[5, 6], [7, 8]], np.uint32)
    inputs = np.random.default_rng(0).normal(size=(2, 5, 7))
    dropped = noise.dropped(
        tf.constant(inputs),
        noise.halves(tf.constant(keys), tf.constant(9, tf.uint32), 5, inputs.shape),
        tf.constant(definition.threshold(rate)),
        tf.constant(definition.keep_scale(rate), tf.float64),
    )
    kept = definition.kept(keys, 9, 5, 7, rate)
    np.testing.assert_array_equal(
        dropped, np.where(kept, inputs * definition.keep_scale(rate), 0.0)
    )


def test_dropout_keeps_what_equals_the_threshold():
    keys = np.array([[5, 6]], np.uint32)
    drawn = definition.halves(keys, 9, 35)[0]
    dropped = noise.dropped(
        tf.ones([1, 5, 7]),
        noise.halves(tf.constant(keys), tf.constant(9, tf.uint32), 5, (1, 5, 7)),
        tf.constant(int(drawn[12])),
        tf.constant(1.0),
    )
    np.testing.assert_array_equal(np.ravel(dropped), drawn >= drawn[12])


KEYS = np.array([[0, 0], [1, 2**32 - 1], [123456789, 987654321]], np.uint32)


@pytest.mark.parametrize(("batch", "units"), [(3, 5), (11, 93)])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 3e-6)])
def test_normals_are_those_of_the_definition_in_a_padded_batch_too(batch, units, dtype, tolerance):
    drawn = tf.function(
        lambda key, step, rows: noise.normals(key, step, rows, (3, batch, units), dtype),
        jit_compile=True,
        autograph=False,
    )
    for step, rows in ((0, batch), (2**32 - 1, batch), (3, 1), (3, -(-batch // 2))):
        result = drawn(tf.constant(KEYS), tf.constant(step, tf.uint32), tf.constant(rows)).numpy()
        expected = definition.normals(KEYS, step, rows * units, np.dtype(dtype))
        np.testing.assert_allclose(
            result[:, :rows].reshape(3, -1), expected, rtol=tolerance, atol=tolerance
        )


def test_noise_of_a_batch_that_is_not_padded_is_the_same():
    step, shape = tf.constant(7, tf.uint32), (3, 5, 7)
    halves = noise.halves(tf.constant(KEYS), step, 5, shape)
    np.testing.assert_array_equal(tf.reshape(halves, [3, -1]), definition.halves(KEYS, 7, 35))
    np.testing.assert_array_equal(
        halves, noise.halves(tf.constant(KEYS), step, tf.constant(5), shape)
    )
    np.testing.assert_array_equal(
        noise.normals(tf.constant(KEYS), step, 5, shape, tf.float64),
        noise.normals(tf.constant(KEYS), step, tf.constant(5), shape, tf.float64),
    )
