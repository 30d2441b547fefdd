"""Activations as functions of tensors, with the derivatives that `techniques.activations` states.

Every numeric hyperparameter is a run-time argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import tensorflow as tf

from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE


def leaky_relu(inputs: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """Leaky ReLU with a run-time slope, where `tf.nn.leaky_relu` has a fixed float32 one."""
    return tf.where(inputs > 0, inputs, alpha * inputs)


def prelu(inputs: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Leaky ReLU whose slope, [lanes, 1, units], is a variable."""
    return leaky_relu(inputs, slope)


def rrelu(
    inputs: tf.Tensor, lower: tf.Tensor, upper: tf.Tensor, share: tf.Tensor | float = 0.5
) -> tf.Tensor:
    """Leaky ReLU with a slope so far between two limits: drawn in training, the mean else."""
    return leaky_relu(inputs, lower + (upper - lower) * share)


def elu(inputs: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """ELU with a run-time alpha, where `tf.nn.elu` has 1."""
    return tf.where(inputs > 0, inputs, alpha * tf.nn.elu(inputs))


def selu(inputs: tf.Tensor) -> tf.Tensor:
    """SELU with slope scale * alpha at 0, where `tf.nn.selu` has slope scale."""
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
"""By name; each takes its inputs, then by keyword its hyperparameters and what it learns or draws.

The softmax of an output is part of its loss.
"""
