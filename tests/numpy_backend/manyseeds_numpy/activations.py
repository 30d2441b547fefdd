"""The activations of `manyseeds.techniques.activations` and their derivatives.

Those that are two straight lines, from relu to prelu, differ in the slope below 0 alone.
"""

from __future__ import annotations

import numpy as np

from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE, Activation, Elu
from manyseeds_numpy.arrays import Array

Slope = Array | float


def activate(function: Activation, z: Array, slope: Slope) -> Array:
    """Return the activation of `z`; `slope` is what a straight line has below 0."""
    match function.name:
        case "logistic":
            return logistic(z)
        case "tanh":
            return np.tanh(z)
        case "softplus":
            return np.logaddexp(0, z)
        case "relu" | "leaky_relu" | "rrelu" | "prelu":
            return np.where(z > 0, z, slope * z)  # 0 z: a NaN stays one
        case "elu" | "selu":
            scale, alpha = _constants(function)
            return scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))
        case _:
            return z


def derivative(function: Activation, z: Array, slope: Slope) -> Array:
    """Return the activation's derivative at `z`; at 0 that of the negative branch."""
    match function.name:
        case "logistic":
            return logistic(z) * logistic(-z)
        case "tanh":
            return 1 - np.tanh(z) ** 2
        case "softplus":
            return logistic(z)
        case "relu" | "leaky_relu" | "rrelu" | "prelu":
            return np.where(z > 0, np.ones_like(z), slope)
        case "elu" | "selu":
            scale, alpha = _constants(function)
            return scale * np.where(z > 0, 1, alpha * np.exp(np.minimum(z, 0)))
        case _:
            return np.ones_like(z)


def _constants(function: Activation) -> tuple[float, float]:
    """Return the scale and alpha of an elu or selu."""
    return (1.0, function.alpha) if isinstance(function, Elu) else (SELU_SCALE, SELU_ALPHA)


def logistic(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), without overflow."""
    return (1 + np.tanh(z / 2)) / 2
