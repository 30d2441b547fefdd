"""Layers forwards and backwards, over stacked weights: every array's first axis is the lane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.activations import SELU_ALPHA, SELU_SCALE, Activation, LeakyRelu
from manyseeds.network import Dense, Loss, Network
from manyseeds.noise import keep_scale, kept

Array = NDArray[np.floating[Any]]
Weights = dict[str, Array]


def forward(
    network: Network,
    weights: Weights,
    inputs: Array,
    noise: Mapping[str, NDArray[np.uint32]] | None = None,
    step: int = 0,
) -> tuple[Array, list[Any]]:
    """Return the logits [lanes, batch, units], and what each layer must remember.

    Parameters
    ----------
    inputs
        [lanes, batch, features], or [batch, features] if the lanes see the same.
    noise, step
        Keys and step of the dropout layers' noise in training; None in evaluation.
    """
    values, memory = inputs, []
    for layer in network.layers:
        if isinstance(layer, Dense):
            below = values
            values = below @ weights[f"{layer.label}/kernel"]
            if layer.bias:
                values = values + weights[f"{layer.label}/bias"][:, None]
            memory.append((below, values))
            if layer is not network.output:  # losses start from the logits
                values = activate(layer.activation, values)
        elif noise is not None:
            key, (rows, units) = noise[layer.label], values.shape[-2:]
            mask = kept(key, step, rows, units, layer.rate) * keep_scale(layer.rate)
            mask = mask.astype(inputs.dtype)
            memory.append(mask)
            values = values * mask
    return values, memory


def backward(
    network: Network, weights: Weights, memory: list[Any], gradient: Array, frozen: tuple[str, ...]
) -> Weights:
    """Return the gradient of every weight that is not frozen, from that of the logits."""
    found: Weights = {}
    for layer, remembered in zip(reversed(network.layers), reversed(memory), strict=True):
        if not isinstance(layer, Dense):
            gradient = gradient * remembered
            continue
        below, before = remembered
        if layer is not network.output:
            gradient = gradient * derivative(layer.activation, before)
        if layer.label not in frozen:
            found[f"{layer.label}/kernel"] = below.swapaxes(1, 2) @ gradient
            if layer.bias:
                found[f"{layer.label}/bias"] = gradient.sum(axis=1)
        gradient = gradient @ weights[f"{layer.label}/kernel"].swapaxes(1, 2)
    return found


def activate(function: Activation, z: Array) -> Array:
    """Return the activation of `z`."""
    negative = np.minimum(z, 0)
    match function.name:
        case "logistic":
            return logistic(z)
        case "tanh":
            return np.tanh(z)
        case "relu" | "leaky_relu":
            return np.where(z > 0, z, _slope_below(function) * z)  # 0 z: a NaN stays one
        case "elu":
            return np.where(z > 0, z, function.alpha * np.expm1(negative))
        case "selu":
            return SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(negative))
        case _:
            return z


def derivative(function: Activation, z: Array) -> Array:
    """Return the activation's derivative at `z`; at 0 that of the negative branch."""
    negative = np.minimum(z, 0)
    match function.name:
        case "logistic":
            return logistic(z) * logistic(-z)
        case "tanh":
            return 1 - np.tanh(z) ** 2
        case "relu" | "leaky_relu":
            return np.where(z > 0, 1, np.full_like(z, _slope_below(function)))
        case "elu":
            return np.where(z > 0, 1, function.alpha * np.exp(negative))
        case "selu":
            return SELU_SCALE * np.where(z > 0, 1, SELU_ALPHA * np.exp(negative))
        case _:
            return np.ones_like(z)


def _slope_below(function: Activation) -> float:
    return function.alpha if isinstance(function, LeakyRelu) else 0.0


def logistic(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), without overflow."""
    return (1 + np.tanh(z / 2)) / 2


def losses(kind: Loss, logits: Array, labels: NDArray[Any]) -> tuple[Array, Array]:
    """Return the loss of every example [lanes, batch], and its derivative by the logits.

    Parameters
    ----------
    logits
        [lanes, batch, units].
    labels
        [lanes, batch]: classes, or targets of the one unit.
    """
    if kind == "sparse_cross_entropy":
        shifted = logits - logits.max(axis=-1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        target = labels[..., None] == np.arange(logits.shape[-1])
        return (log_sum - shifted)[target].reshape(labels.shape), np.exp(shifted - log_sum) - target
    target = labels[..., None].astype(logits.dtype)
    if kind == "binary_cross_entropy":
        loss = np.maximum(logits, 0) - logits * target + np.log1p(np.exp(-np.abs(logits)))
        return loss[..., 0], logistic(logits) - target
    return ((logits - target) ** 2)[..., 0], 2 * (logits - target)


def probabilities(kind: Loss, logits: Array) -> Array:
    """Return the probabilities [lanes, batch, units] of the classes, or of class 1."""
    if kind == "binary_cross_entropy":
        return logistic(logits)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def correct(kind: Loss, logits: Array, labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which examples are classified right, [lanes, batch]."""
    if kind == "sparse_cross_entropy":
        return logits.argmax(axis=-1) == labels
    return (logits[..., 0] > 0) == (labels > 0.5)
