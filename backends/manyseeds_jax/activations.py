"""Activations by name; at the kink the derivative is that of the negative branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from manyseeds_jax.noise import Words, slopes

Hyperparameters = Mapping[str, Any]


def leaky_relu(inputs: jax.Array, slope: jax.Array) -> jax.Array:
    """Leaky ReLU with its slope also at 0, where `jax.nn.leaky_relu` has slope 1."""
    return jnp.where(inputs > 0, inputs, slope * inputs)


PLAIN: Mapping[str, Callable[[jax.Array], jax.Array]] = {
    "linear": lambda inputs: inputs,
    "logistic": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "selu": jax.nn.selu,
    "softplus": jax.nn.softplus,
}
"""Those without hyperparameters."""


def activate(
    name: str,
    inputs: jax.Array,
    hyperparameters: Hyperparameters,
    *,
    noise: Words | None = None,
    slope: Any = None,
) -> jax.Array:
    """Return an activation of its inputs.

    Parameters
    ----------
    name
        Its name.
    inputs
        [batch, units]
    hyperparameters
        Its hyperparameters by name, maybe among others.
    noise
        That of a rrelu; without it the slopes are their mean.
    slope
        That of a prelu, [units].
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
