"""Activations by name; at a kink the derivative is that of the negative branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from manyseeds_jax.noise import Words, slopes

Hyperparameters = Mapping[str, Any]

PLAIN: Mapping[str, Callable[[jax.Array], jax.Array]] = {
    "linear": lambda inputs: inputs,
    "logistic": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "selu": jax.nn.selu,
    "softplus": jax.nn.softplus,
}
"""Activations without hyperparameters."""


def activate(
    name: str,
    inputs: jax.Array,
    hyperparameters: Hyperparameters,
    *,
    noise: Words | None = None,
    slope: Any = None,
) -> jax.Array:
    """Apply an activation to its inputs.

    Parameters
    ----------
    name
        The activation's name.
    inputs
        [batch, units]
    hyperparameters
        The activation's hyperparameters by name; others are ignored.
    noise
        The noise of a randomised ReLU; without it the slope is the mean slope.
    slope
        The learned slopes of a PReLU, [units].
    """
    if name in PLAIN:
        return PLAIN[name](inputs)
    if name == "elu":
        return jax.nn.elu(inputs, hyperparameters["alpha"])
    if name == "leaky_relu":
        slope = hyperparameters["alpha"]
    if name == "rrelu":
        lower, upper = hyperparameters["lower"], hyperparameters["upper"]
        slope = slopes(noise, inputs.shape, lower, upper) if noise else (lower + upper) / 2
    return leaky_relu(inputs, slope)


def leaky_relu(inputs: jax.Array, slope: jax.Array) -> jax.Array:
    """Apply a leaky ReLU that has its slope at 0 too, where `jax.nn.leaky_relu` has slope 1."""
    return jnp.where(inputs > 0, inputs, slope * inputs)
