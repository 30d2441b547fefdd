"""What leaves a network: its losses, its right answers, its predictions.

Training starts from the logits; what Monte Carlo dropout averages are predictions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from manyseeds.techniques.network import Loss


@dataclass(frozen=True)
class Logits:
    """What comes before the output's activation.

    Attributes
    ----------
    kind
        Of loss.
    values
        [lanes, batch, units].
    """

    kind: Loss
    values: Tensor

    def losses(self, labels: Tensor) -> Tensor:
        """Return the loss of every example, [lanes, batch].

        Labels are [lanes, batch] classes, or [lanes, batch, units] targets of the logits' type.
        """
        logits = self.values
        if self.kind == "sparse_cross_entropy":
            flat = logits.flatten(0, 1), labels.flatten()
            return functional.cross_entropy(*flat, reduction="none").view(labels.shape)
        if self.kind == "binary_cross_entropy":
            each = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
            return each.mean(2)
        return functional.mse_loss(logits, labels, reduction="none").mean(2)

    def correct(self, labels: Tensor) -> Tensor:
        """Return which examples are classified right, [lanes, batch]."""
        if self.kind == "sparse_cross_entropy":
            return self.values.argmax(2) == labels
        return _correct(self.predictions(), labels)

    def predictions(self) -> Tensor:
        """Return the probabilities of the classes, or of class 1, or the values as they are."""
        if self.kind == "sparse_cross_entropy":
            return self.values.softmax(2)
        return self.values.sigmoid() if self.kind == "binary_cross_entropy" else self.values


@dataclass(frozen=True)
class Predictions:
    """What comes after the output's activation; attributes as for `Logits`."""

    kind: Loss
    values: Tensor

    def losses(self, labels: Tensor) -> Tensor:
        """Return the loss of every example, as `Logits.losses`."""
        chances = self.values
        if self.kind == "sparse_cross_entropy":
            return -chances.gather(2, labels[:, :, None]).squeeze(2).log()
        if self.kind == "binary_cross_entropy":
            # `functional.binary_cross_entropy` cuts logarithms off at -100.
            others = torch.xlogy(1 - labels, 1 - chances)
            return -(torch.xlogy(labels, chances) + others).mean(2)
        return functional.mse_loss(chances, labels, reduction="none").mean(2)

    def correct(self, labels: Tensor) -> Tensor:
        """Return which examples are classified right, [lanes, batch]."""
        if self.kind == "sparse_cross_entropy":
            return self.values.argmax(2) == labels
        return _correct(self.values, labels)

    def predictions(self) -> Tensor:
        """Return them."""
        return self.values


def _correct(chances: Tensor, labels: Tensor) -> Tensor:
    return ((chances > 0.5) == (labels > 0.5)).all(2)
