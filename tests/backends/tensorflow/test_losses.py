"""Losses of probabilities against losses of logits."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from manyseeds_tensorflow import losses


def test_the_loss_of_probabilities_is_that_of_logits():
    draw = np.random.default_rng(10)
    for kind, units, labels in (
        ("sparse_cross_entropy", 3, draw.integers(0, 3, (2, 5)).astype(np.int32)),
        ("binary_cross_entropy", 1, draw.integers(0, 2, (2, 5)).astype(float)),
        ("mean_squared_error", 1, draw.normal(size=(2, 5))),
    ):
        logits, targets = tf.constant(draw.normal(size=(2, 5, units))), tf.constant(labels)
        result = losses.losses_of_probabilities(kind, losses.probabilities(kind, logits), targets)
        np.testing.assert_allclose(result, losses.losses(kind, logits, targets), rtol=1e-12)


def test_a_certain_and_right_probability_costs_nothing():
    labels, sure = tf.constant([[0.0, 1.0]]), tf.constant([[[0.0], [1.0]]])
    result = losses.losses_of_probabilities("binary_cross_entropy", sure, labels)
    np.testing.assert_array_equal(result, [[0.0, 0.0]])
