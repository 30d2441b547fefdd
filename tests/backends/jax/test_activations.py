"""The JAX wing's activations against closed forms."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

import jax
import jax.numpy as jnp

from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE
from manyseeds_jax.activations import activate

POINTS = np.array([-30.0, -2.5, -1e-3, -0.0, 0.0, 1e-3, 1.5, 30.0])


NEGATIVE = POINTS <= 0


EXP = np.exp(np.minimum(POINTS, 0))


SIGMOID = 1 / (1 + np.exp(-POINTS))


SLOPES = {"leaky_relu": 0.2, "rrelu": 0.25, "prelu": 0.3, "relu": 0.0}


LEAKY = {
    name: (np.where(NEGATIVE, slope * POINTS, POINTS), np.where(NEGATIVE, slope, 1))
    for name, slope in SLOPES.items()
}


CURVES = {
    "linear": (POINTS, np.ones(8)),
    "logistic": (SIGMOID, SIGMOID * (1 - SIGMOID)),
    "tanh": (np.tanh(POINTS), 1 / np.cosh(POINTS) ** 2),
    "elu": (np.where(NEGATIVE, 0.7 * (EXP - 1), POINTS), np.where(NEGATIVE, 0.7 * EXP, 1)),
    "selu": (
        SELU_SCALE * np.where(NEGATIVE, SELU_ALPHA * (EXP - 1), POINTS),
        SELU_SCALE * np.where(NEGATIVE, SELU_ALPHA * EXP, 1),
    ),
    "softplus": (np.logaddexp(0, POINTS), SIGMOID),
    **LEAKY,
}


@pytest.mark.parametrize("name", CURVES)
def test_activation_and_derivative_are_the_closed_form_even_at_the_kink(double, name):
    hyperparameters = {
        "leaky_relu": {"alpha": 0.2},
        "elu": {"alpha": 0.7},
        "rrelu": {"lower": jnp.asarray(0.1), "upper": jnp.asarray(0.4)},
    }.get(name, {})

    def function(point):
        return activate(name, point, hyperparameters, slope=jnp.asarray(0.3))

    points = jnp.asarray(POINTS)
    assert points.dtype == np.float64
    values, slopes = CURVES[name]
    np.testing.assert_allclose(jax.vmap(function)(points), values, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(jax.vmap(jax.grad(function))(points), slopes, rtol=1e-9, atol=1e-15)
