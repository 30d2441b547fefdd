"""Penalties against Keras' regularisers."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from manyseeds.backend.hyperparameters import network_hyperparameters
from manyseeds.techniques import layers, regularisation
from manyseeds.techniques.network import Network
from manyseeds_tensorflow import penalties


def test_penalties_are_keras_and_flat_at_zero():
    kernel = np.random.default_rng(9).normal(size=(2, 3, 4))
    kernel[0, 0, 0] = 0
    l1, l2 = 0.25, 0.5
    penalty = regularisation.L1L2(l1=l1, l2=l2)
    net = Network(name="n", layers=(layers.Dense(units=4, penalty=penalty),))
    weights = {"output/kernel": tf.constant(kernel)}
    with tf.GradientTape() as tape:
        tape.watch(weights)
        result = penalties.penalty(net, weights, network_hyperparameters(net, np.dtype("float64")))
    for lane in range(2):
        expected = keras.regularizers.L1L2(l1, l2)(kernel[lane])
        assert float(result[lane]) == pytest.approx(float(expected), rel=1e-6)
    slope = tape.gradient(result, weights)["output/kernel"]
    np.testing.assert_allclose(slope, l1 * np.sign(kernel) + 2 * l2 * kernel, rtol=1e-14)
    assert slope[0, 0, 0] == 0
