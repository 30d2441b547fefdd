"""Activations as functions of tensors, with the derivatives that `techniques.activations` states.

Every numeric hyperparameter is a run-time argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import tensorflow as tf

from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE


def activate(name: str, inputs: tf.Tensor, arguments: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Return the activation of inputs [lanes, batch, units].

    Parameters
    ----------
    name
        The activation's name.
    inputs
        The values it is applied to.
    arguments
        The activation's hyperparameters by name, and its learned or drawn slopes.
    """
    return ACTIVATIONS[name](inputs, **arguments)


def leaky_relu(inputs: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """Return leaky ReLU with a run-time slope; `tf.nn.leaky_relu` has a fixed float32 slope."""
    return tf.where(inputs > 0, inputs, alpha * inputs)


def prelu(inputs: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Return leaky ReLU whose slope is a variable, [lanes, 1, units]."""
    return leaky_relu(inputs, slope)


def rrelu(
    inputs: tf.Tensor, lower: tf.Tensor, upper: tf.Tensor, share: tf.Tensor | float = 0.5
) -> tf.Tensor:
    """Return leaky ReLU with a slope between two limits.

    `share` is the slope's position between them, from 0 to 1: drawn in training, 0.5 in prediction.
    """
    return leaky_relu(inputs, lower + (upper - lower) * share)


def elu(inputs: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """Return ELU with a run-time alpha; that of `tf.nn.elu` is 1."""
    return tf.where(inputs > 0, inputs, alpha * tf.nn.elu(inputs))


def selu(inputs: tf.Tensor) -> tf.Tensor:
    """Return SELU with slope scale * alpha at 0, where `tf.nn.selu` has slope scale."""
    scale, alpha = (tf.constant(value, inputs.dtype) for value in (SELU_SCALE, SELU_ALPHA))
    return scale * elu(inputs, alpha)


ACTIVATIONS: Mapping[str, Callable[..., tf.Tensor]] = {
    "linear": tf.identity,
    "logistic": tf.nn.sigmoid,
    "tanh": tf.nn.tanh,
    "relu": tf.nn.relu,
    "leaky_relu": leaky_relu,
    "rrelu": rrelu,
    "prelu": prelu,
    "elu": elu,
    "selu": selu,
    "softplus": tf.nn.softplus,
}
"""Every activation by its name; the softmax of an output is part of its loss."""
