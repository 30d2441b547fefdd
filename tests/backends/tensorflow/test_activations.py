"""Activations and their derivatives against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE
from manyseeds_tensorflow.activations import ACTIVATIONS

POINTS = np.array([-30.0, -2.0, -0.5, -0.0, 0.0, 1e-3, 0.7, 3.0])


NEGATIVE = POINTS <= 0


CLOSED_FORMS = {
    "linear": (POINTS, np.ones(8), {}),
    "logistic": (
        1 / (1 + np.exp(-POINTS)),
        np.exp(-POINTS) / (1 + np.exp(-POINTS)) ** 2,
        {},
    ),
    "tanh": (np.tanh(POINTS), 1 / np.cosh(POINTS) ** 2, {}),
    "relu": (np.where(NEGATIVE, 0, POINTS), np.where(NEGATIVE, 0.0, 1.0), {}),
    "leaky_relu": (
        np.where(NEGATIVE, 0.3 * POINTS, POINTS),
        np.where(NEGATIVE, 0.3, 1.0),
        {"alpha": 0.3},
    ),
    "rrelu": (
        np.where(NEGATIVE, 0.2 * POINTS, POINTS),
        np.where(NEGATIVE, 0.2, 1.0),
        {"lower": 0.1, "upper": 0.3},
    ),
    "prelu": (
        np.where(NEGATIVE, -0.3 * POINTS, POINTS),
        np.where(NEGATIVE, -0.3, 1.0),
        {"slope": -0.3},
    ),
    "softplus": (np.logaddexp(0, POINTS), 1 / (1 + np.exp(-POINTS)), {}),
    "elu": (
        np.where(NEGATIVE, 0.7 * np.expm1(POINTS), POINTS),
        np.where(NEGATIVE, 0.7 * np.exp(POINTS), 1.0),
        {"alpha": 0.7},
    ),
    "selu": (
        SELU_SCALE * np.where(NEGATIVE, SELU_ALPHA * np.expm1(POINTS), POINTS),
        SELU_SCALE * np.where(NEGATIVE, SELU_ALPHA * np.exp(POINTS), 1.0),
        {},
    ),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("xla", [True, False])
def test_activations_and_derivatives_are_the_closed_forms_at_the_kink_too(name, xla):
    values, slopes, hyperparameters = CLOSED_FORMS[name]

    @tf.function(jit_compile=xla)
    def both(points):
        hyperparameter = {
            key: tf.constant(value, tf.float64) for key, value in hyperparameters.items()
        }
        with tf.GradientTape() as tape:
            tape.watch(points)
            result = ACTIVATIONS[name](points, **hyperparameter)
        return result, tape.gradient(result, points)

    result, slope = both(tf.constant(POINTS))
    np.testing.assert_allclose(result, values, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(slope, slopes, rtol=1e-13, atol=1e-15)


def test_there_is_a_function_for_every_activation():
    from manyseeds.techniques import registry

    known = {
        registry.technique_name(cls) for cls in registry.techniques() if cls.kind == "activation"
    }
    assert set(ACTIVATIONS) == known - {"softmax"}
