"""Losses, probabilities and correct answers of stacked outputs [lanes, batch, units].

Training starts from the logits. Monte Carlo dropout averages probabilities, which have losses of
their own. With a mean squared error, the "probabilities" are the outputs themselves.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from manyseeds.techniques.network import Loss


def losses(kind: Loss, logits: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of every example, [lanes, batch].

    Parameters
    ----------
    kind
        The name of the loss.
    logits
        [lanes, batch, units].
    labels
        Classes [lanes, batch], or targets [lanes, batch, units] of the logits' type.
    """
    if kind == "sparse_cross_entropy":
        flat = logits.flatten(0, 1), labels.flatten()
        return functional.cross_entropy(*flat, reduction="none").view(labels.shape)
    if kind == "binary_cross_entropy":
        return functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(2)
    return functional.mse_loss(logits, labels, reduction="none").mean(2)


def losses_of_probabilities(kind: Loss, probabilities: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of every example, [lanes, batch], from probabilities [lanes, batch, units].

    Labels are as for `losses`.
    """
    if kind == "sparse_cross_entropy":
        return -probabilities.gather(2, labels[:, :, None]).squeeze(2).log()
    if kind == "binary_cross_entropy":
        # `functional.binary_cross_entropy` clamps logarithms at -100.
        of_class_0 = torch.xlogy(1 - labels, 1 - probabilities)
        return -(torch.xlogy(labels, probabilities) + of_class_0).mean(2)
    return functional.mse_loss(probabilities, labels, reduction="none").mean(2)


def probabilities(kind: Loss, logits: Tensor) -> Tensor:
    """Return the probabilities of the classes, or of class 1; of a linear output, its values."""
    if kind == "sparse_cross_entropy":
        return logits.softmax(2)
    return logits.sigmoid() if kind == "binary_cross_entropy" else logits


def correct(kind: Loss, logits: Tensor, labels: Tensor) -> Tensor:
    """Return whether each example is classified correctly, [lanes, batch], by its logits.

    Labels are as for `losses`.
    """
    # The softmax may round different logits to equal probabilities.
    outputs = logits if kind == "sparse_cross_entropy" else probabilities(kind, logits)
    return correct_of_probabilities(kind, outputs, labels)


def correct_of_probabilities(kind: Loss, probabilities: Tensor, labels: Tensor) -> Tensor:
    """Return whether each example is classified correctly, [lanes, batch], by its probabilities.

    Labels are as for `losses`.
    """
    if kind == "sparse_cross_entropy":
        return probabilities.argmax(2) == labels
    return ((probabilities > 0.5) == (labels > 0.5)).all(2)
