"""Sums of metrics over blocks of lanes and rows, and the probabilities of all rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from manyseeds.backend.values import Metric
from manyseeds.techniques.network import Loss
from manyseeds_pytorch.device import OpenDevice
from manyseeds_pytorch.lanes import Arrays
from manyseeds_pytorch.losses import (
    correct,
    correct_of_probabilities,
    losses,
    losses_of_probabilities,
    probabilities,
)

PROBABILITIES = "probabilities"
"""Name of the probabilities among the scores, beside the metrics."""


@dataclass(frozen=True)
class ScoreBlock:
    """Some rows of a split, scored in some lanes.

    Attributes
    ----------
    lanes, rows
        The block's lanes, and its rows of the split.
    labels
        Labels of these rows in these lanes, as for `losses.losses`.
    """

    lanes: slice
    rows: slice
    labels: Tensor


class ScoreSums:
    """Sums of metrics, and probabilities if they are requested.

    Parameters
    ----------
    kind
        Name of the loss.
    metrics
        Metrics to sum.
    keep_probabilities
        Whether to keep the probabilities.
    shape
        Numbers of lanes, rows and units.
    device
        Device and precision.
    """

    def __init__(
        self,
        kind: Loss,
        metrics: Collection[Metric],
        keep_probabilities: bool,
        shape: tuple[int, int, int],
        device: OpenDevice,
    ) -> None:
        lanes, self._rows, _ = shape
        self._kind = kind
        self._sums: dict[str, Tensor] = {
            name: torch.zeros(lanes, dtype=torch.float64, device=device.torch_device)
            for name in metrics
        }
        self._probabilities = torch.empty(shape, dtype=device.dtype) if keep_probabilities else None

    def add_logits(self, block: ScoreBlock, logits: Tensor) -> None:
        """Add the scores of logits [lanes, rows, units]."""
        if "loss" in self._sums:
            self._add("loss", block, losses(self._kind, logits, block.labels))
        if "accuracy" in self._sums:
            self._add("accuracy", block, correct(self._kind, logits, block.labels))
        if self._probabilities is not None:
            self._probabilities[block.lanes, block.rows] = probabilities(self._kind, logits).cpu()

    def add_probabilities(self, block: ScoreBlock, predicted: Tensor) -> None:
        """Add the scores of probabilities [lanes, rows, units]."""
        if "loss" in self._sums:
            self._add("loss", block, losses_of_probabilities(self._kind, predicted, block.labels))
        if "accuracy" in self._sums:
            right = correct_of_probabilities(self._kind, predicted, block.labels)
            self._add("accuracy", block, right)
        if self._probabilities is not None:
            self._probabilities[block.lanes, block.rows] = predicted.cpu()

    def _add(self, metric: Metric, block: ScoreBlock, values: Tensor) -> None:
        self._sums[metric][block.lanes] += values.sum(1, dtype=torch.float64)

    def scores(self) -> Arrays:
        """Return the mean metrics [lanes] and, if requested, the probabilities."""
        scores: Arrays = {
            name: total.cpu().numpy() / self._rows for name, total in self._sums.items()
        }
        if self._probabilities is not None:
            scores[PROBABILITIES] = self._probabilities.numpy()
        return scores
