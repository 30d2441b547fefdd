"""Activations and their derivatives, in NumPy."""

import numpy as np

from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE

FORMS = {
    "linear": (lambda z: z, np.ones_like),
    "logistic": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.2 * z), lambda z: np.where(z > 0, 1, 0.2)),
    "elu": (
        lambda z: np.where(z > 0, z, 0.7 * np.expm1(z)),
        lambda z: np.where(z > 0, 1, 0.7 * np.exp(z)),
    ),
    "selu": (
        lambda z: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(z)),
        lambda z: SELU_SCALE * np.where(z > 0, 1, SELU_ALPHA * np.exp(z)),
    ),
    "softplus": (lambda z: np.logaddexp(0, z), lambda z: 1 / (1 + np.exp(-z))),
}
