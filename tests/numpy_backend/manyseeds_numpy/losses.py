"""The losses of the three kinds of output, and what is predicted from the logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.techniques.network import Loss
from manyseeds_numpy.activations import logistic
from manyseeds_numpy.arrays import Array


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


def predictions(kind: Loss, logits: Array) -> Array:
    """Return the output's activation: probabilities of classes, of class 1, or plain values."""
    if kind == "mean_squared_error":
        return logits
    if kind == "binary_cross_entropy":
        return logistic(logits)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Array = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def prediction_losses(kind: Loss, predicted: Array, labels: NDArray[Any]) -> Array:
    """Return the loss of every example [lanes, batch] from its prediction, not its logits."""
    if kind == "sparse_cross_entropy":
        found: Array = -np.log(np.take_along_axis(predicted, labels[..., None], axis=-1))[..., 0]
    elif kind == "binary_cross_entropy":
        found = -np.log(np.where(labels == 1, predicted[..., 0], 1 - predicted[..., 0]))
    else:
        found = (predicted[..., 0] - labels) ** 2
    return found


def correct(
    kind: Loss, outputs: Array, labels: NDArray[Any], *, middle: float
) -> NDArray[np.bool_]:
    """Return which examples are classified right, [lanes, batch].

    Parameters
    ----------
    outputs
        Logits or probabilities, [lanes, batch, units].
    middle
        Where class 1 begins in the output of a single unit.
    """
    if kind == "sparse_cross_entropy":
        right: NDArray[np.bool_] = outputs.argmax(axis=-1) == labels
    else:
        right = (outputs[..., 0] > middle) == (labels > 0.5)
    return right
