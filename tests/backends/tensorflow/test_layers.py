"""Layers against Keras' own and the definition of their noise."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from manyseeds.backend.hyperparameters import network_hyperparameters
from manyseeds.randomness import noise as definition
from manyseeds.techniques.network import Network
from manyseeds_tensorflow.layers import ForwardPass, LaneAlphaDropout, LaneBatchNorm

KEYS = np.array([[0, 0], [1, 2**32 - 1], [123456789, 987654321]], np.uint32)


def constants(numbers):
    return {name: tf.constant(value, tf.float64) for name, value in numbers.items()}


def test_alpha_dropout_keeps_mean_and_variance():
    inputs = np.random.default_rng(6).normal(size=(1, 1000, 1000))
    stack = [{"name": "alpha_dropout", "rate": 0.3}, {"name": "dense", "units": 1}]
    net = Network.model_validate({"name": "n", "layers": stack})
    hyperparameters = network_hyperparameters(net, np.dtype("float64"))["alpha_dropout1"]
    forward = ForwardPass(
        tf.constant(0, tf.uint32), 1000, {"alpha_dropout1": tf.constant(KEYS[:1])}
    )
    layer = LaneAlphaDropout("alpha_dropout1", dtype="float64")
    result = layer(tf.constant(inputs), hyperparameters=hyperparameters, forward=forward).numpy()
    assert result.mean() == pytest.approx(0, abs=5e-3)
    assert result.var() == pytest.approx(1, abs=5e-3)
    dropped = ~definition.kept(KEYS[:1], 0, 1000, 1000, 0.3)
    assert np.unique(result[dropped]).size == 1
    np.testing.assert_array_equal(
        layer(tf.constant(inputs), hyperparameters=hyperparameters), inputs
    )


def test_batch_norm_is_that_of_keras_in_both_modes_and_ignores_padding():
    draw = np.random.default_rng(8)
    inputs, rows = draw.normal(2, 3, size=(1, 8, 5)), 6
    options = {"momentum": 0.875, "epsilon": 2**-6}
    theirs = keras.layers.BatchNormalization(**options, dtype="float64")
    ours = LaneBatchNorm("bn", dtype="float64")
    theirs.build((None, 5))
    ours.build((1, None, 5))
    for variable, same in ((ours.gamma, theirs.gamma), (ours.beta, theirs.beta)):
        value = draw.normal(size=5)
        variable.assign(value[None, None])
        same.assign(value)
    hyperparameters, forward = (
        constants(options),
        ForwardPass(tf.constant(0, tf.uint32), tf.constant(rows), {}),
    )
    for _ in range(3):
        result = ours(tf.constant(inputs), hyperparameters=hyperparameters, forward=forward)[
            0, :rows
        ]
        expected = theirs(inputs[0, :rows], training=True)
        np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-12)
    for variable, same in (
        (ours.mean, theirs.moving_mean),
        (ours.variance, theirs.moving_variance),
    ):
        np.testing.assert_allclose(variable.numpy()[0, 0], same.numpy(), rtol=1e-9)
    np.testing.assert_allclose(
        ours(tf.constant(inputs), hyperparameters=hyperparameters)[0],
        theirs(inputs[0], training=False),
        rtol=1e-9,
    )
