"""Scores of a shard's lanes on a split, piece by piece, in bounded memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from manyseeds.backend.values import Metric
from manyseeds_pytorch.device import Placement
from manyseeds_pytorch.network import Stack
from manyseeds_pytorch.outputs import Logits, Predictions
from manyseeds_pytorch.run import Run

PROBABILITIES = "probabilities"
"""Among the scores of a shard, beside the metrics."""

Arrays = dict[str, NDArray[Any]]


class Tally:
    """Sums of metrics, and probabilities where asked for.

    Parameters
    ----------
    metrics, probabilities
        What is asked for.
    shape
        Lanes, rows and units.
    where
        Device and precision.
    """

    def __init__(
        self,
        metrics: Collection[Metric],
        probabilities: bool,
        shape: tuple[int, int, int],
        where: Placement,
    ) -> None:
        lanes, self._rows, _ = shape
        self._sums: dict[str, Tensor] = {
            name: torch.zeros(lanes, dtype=torch.float64, device=where.device) for name in metrics
        }
        self._chances = torch.empty(shape, dtype=where.dtype) if probabilities else None

    def add(self, lanes: slice, rows: slice, outputs: Logits | Predictions, labels: Tensor) -> None:
        """Count some lanes' outputs on some rows, with the labels of all rows."""
        wanted = labels[rows].expand(lanes.stop - lanes.start, *labels[rows].shape)
        if "loss" in self._sums:
            self._sums["loss"][lanes] += outputs.losses(wanted).sum(1, dtype=torch.float64)
        if "accuracy" in self._sums:
            self._sums["accuracy"][lanes] += outputs.correct(wanted).sum(1)
        if self._chances is not None:
            self._chances[lanes, rows] = outputs.predictions().cpu()

    def arrays(self) -> Arrays:
        """Return the metrics [lanes] and, where asked for, the probabilities."""
        scores: Arrays = {n: value.cpu().numpy() / self._rows for n, value in self._sums.items()}
        if self._chances is not None:
            scores[PROBABILITIES] = self._chances.numpy()
        return scores


def pieces(stack: Stack, rows: int, length: int, where: Placement) -> Iterator[tuple[slice, slice]]:
    """Yield lanes and at most `length` rows, so that no activation is larger than the bound.

    Where so many rows of one lane are, they come nevertheless.
    """
    length = min(rows, length)
    width = max(1, where.elements // (stack.widest * length))
    for lane in range(0, stack.lanes, width):
        for row in range(0, rows, length):
            yield slice(lane, min(lane + width, stack.lanes)), slice(row, min(row + length, rows))


@torch.inference_mode()
def score(stack: Stack, inputs: Tensor, labels: Tensor, tally: Tally, where: Placement) -> None:
    """Count the predictions of all lanes on inputs [n, features]."""
    longest = max(1, where.elements // stack.widest)
    for lanes, rows in pieces(stack, len(inputs), longest, where):
        seen = inputs[rows].expand(lanes.stop - lanes.start, -1, -1)
        logits = stack.part(lanes).logits(seen, Run())
        tally.add(lanes, rows, Logits(stack.network.loss, logits), labels)
