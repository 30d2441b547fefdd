"""Losses, probabilities and correct answers of one lane's outputs [batch, outputs]."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from jax.scipy.special import xlog1py, xlogy

from manyseeds.techniques.network import Loss


def losses(kind: Loss, logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the loss of every example, [batch].

    Parameters
    ----------
    kind
        The name of the loss.
    logits
        [batch, outputs]
    labels
        Classes [batch] as integers; for the other losses targets, [batch] or [batch, outputs].
    """
    if kind == "sparse_cross_entropy":
        classes = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
        return optax.softmax_cross_entropy(logits, classes)
    targets = labels.reshape(logits.shape)
    if kind == "binary_cross_entropy":
        return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, targets), axis=-1)
    return jnp.mean(optax.squared_error(logits, targets), axis=-1)


def losses_of_probabilities(kind: Loss, outputs: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the loss of every example, [batch], from the results of `probabilities`.

    Parameters
    ----------
    kind, labels
        As for `losses`.
    outputs
        [batch, outputs]
    """
    if kind == "sparse_cross_entropy":
        return -jnp.log(jnp.take_along_axis(outputs, labels[:, None], axis=1)[:, 0])
    if kind == "binary_cross_entropy":
        positive = outputs[:, 0]
        return -(xlogy(labels, positive) + xlog1py(1 - labels, -positive))
    return losses(kind, outputs, labels)


def probabilities(kind: Loss, logits: jax.Array) -> jax.Array:
    """Return the probabilities of the classes, or of class 1; of a linear output, its values."""
    if kind == "sparse_cross_entropy":
        return jax.nn.softmax(logits)
    return jax.nn.sigmoid(logits) if kind == "binary_cross_entropy" else logits


def correct(kind: Loss, outputs: jax.Array, labels: jax.Array) -> jax.Array:
    """Return whether each example is classified correctly, [batch], by its probabilities."""
    if kind == "sparse_cross_entropy":
        return jnp.argmax(outputs, axis=-1) == labels  # on a tie the first class counts
    return (outputs[:, 0] > 0.5) == (labels.reshape(-1) > 0.5)
