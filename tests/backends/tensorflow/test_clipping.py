"""Gradient clipping and max-norm against the chapter's example and Keras."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from manyseeds.techniques.network import Network
from manyseeds_tensorflow import clipping


def constants(numbers):
    return {name: tf.constant(value, tf.float64) for name, value in numbers.items()}


LARGE = np.array([0.9, 100.0])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("clip_value", [0.9, 1.0]),
        ("clip_norm", [0.00899964, 0.9999595]),
        ("global_clip_norm", [0.00899964, 0.9999595]),
    ],
)
def test_clipping_reproduces_the_chapter_example_in_each_lane(kind, expected):
    small = np.array([0.3, -0.4])
    gradient = {"w": tf.constant(np.stack([LARGE, small, 0 * small])[:, None])}
    result = clipping.clipped(kind, gradient, constants({"limit": 1.0}))["w"].numpy()[:, 0]
    np.testing.assert_allclose(result[0], expected, rtol=1e-6)
    np.testing.assert_array_equal(result[1:], [small, 0 * small])  # within the limit: untouched


def test_clipping_by_norm_is_keras_of_each_variable_and_globally_of_all():
    draw = np.random.default_rng(0)
    gradient = {"a": draw.normal(size=(1, 3, 4)), "b": draw.normal(size=(1, 1, 5))}
    for kind, option in (("clip_norm", "clipnorm"), ("global_clip_norm", "global_clipnorm")):
        plain = keras.optimizers.SGD(1.0, **{option: 0.5})
        variables = [keras.Variable(np.zeros(g.shape), dtype="float64") for g in gradient.values()]
        plain.apply([tf.constant(g) for g in gradient.values()], variables)
        result = clipping.clipped(
            kind, {n: tf.constant(g) for n, g in gradient.items()}, constants({"limit": 0.5})
        )
        for ours, theirs in zip(result.values(), variables, strict=True):
            np.testing.assert_allclose(ours, -theirs.numpy(), rtol=1e-6)


@pytest.mark.parametrize("kind", ["clip_value", "clip_norm", "global_clip_norm"])
def test_clipping_leaves_nan_where_it_is(kind):
    gradient = {"w": np.ones((2, 2, 2))}
    gradient["w"][1, 0, 0] = np.nan
    result = tf.function(clipping.clipped, jit_compile=True)(
        kind, {"w": tf.constant(gradient["w"])}, constants({"limit": 0.5})
    )["w"].numpy()
    assert np.isfinite(result[0]).all()
    assert np.isnan(result[1, 0, 0])


def test_max_norm_is_keras_along_the_incoming_weights():
    kernel = np.random.default_rng(4).normal(size=(1, 6, 5)) * [0.1, 1, 2, 0, 0.2]
    expected = keras.constraints.MaxNorm(1.0, axis=0)(kernel[0])  # Keras adds 1e-7 to the norm
    net = Network.model_validate(
        {"name": "n", "layers": [{"name": "dense", "units": 5, "max_norm": {"radius": 1.0}}]}
    )
    hyperparameters = {"output": constants({"radius": 1.0})}
    result = clipping.constrained(net, {"output/kernel": tf.constant(kernel)}, hyperparameters)
    np.testing.assert_allclose(result["output/kernel"][0], expected, rtol=1e-6)
    for within in (0, 3, 4):
        np.testing.assert_array_equal(result["output/kernel"][0, :, within], kernel[0, :, within])
