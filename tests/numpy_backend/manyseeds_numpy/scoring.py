"""Scoring a network on a split: as in prediction, or by Monte Carlo dropout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.values import (
    EVALUATION_ROWS,
    SAMPLING_ROWS,
    Metric,
    Sampling,
    Scores,
    Split,
    check_metrics,
)
from manyseeds.techniques.layers import AlphaDropout, Dropout
from manyseeds.techniques.network import Network
from manyseeds_numpy.arrays import Array, Weights
from manyseeds_numpy.layers import Mode
from manyseeds_numpy.losses import correct, losses, prediction_losses, predictions
from manyseeds_numpy.network import forward


@dataclass(frozen=True)
class Piece:
    """Some rows: predictions [lanes, rows, units], and the metrics of each, [lanes, rows]."""

    predicted: Array
    loss: Array
    accuracy: NDArray[np.bool_]


def scores(
    network: Network,
    weights: Weights,
    split: Split,
    metrics: tuple[Metric, ...],
    *,
    probabilities: bool,
    sampling: Sampling | None = None,
) -> Scores:
    """Score all lanes on a split; the rows are taken in pieces of bounded memory."""
    check_metrics(network, metrics, probabilities)
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in metrics}
    kept = []
    if sampling is None:
        pieces = _plain(network, weights, split)
    else:
        pieces = _sampled(network, weights, split, sampling)
    for piece in pieces:
        for name, values in found.items():
            values.append(getattr(piece, name))
        if probabilities:
            kept.append(piece.predicted)
    return Scores(
        metrics={
            name: np.concatenate(values, axis=1).mean(axis=1, dtype=np.float64)
            for name, values in found.items()
        },
        probabilities=np.concatenate(kept, axis=1) if probabilities else None,
    )


def _plain(network: Network, weights: Weights, split: Split) -> Iterator[Piece]:
    for start in range(0, len(split), EVALUATION_ROWS):
        rows = slice(start, start + EVALUATION_ROWS)
        logits = forward(network, weights, split.inputs[None, rows], Mode()).logits
        labels = np.broadcast_to(split.labels[rows], logits.shape[:2])
        yield Piece(
            predictions(network.loss, logits),
            losses(network.loss, logits, labels)[0],
            correct(network.loss, logits, labels, middle=0),
        )


def _sampled(
    network: Network, weights: Weights, split: Split, sampling: Sampling
) -> Iterator[Piece]:
    """Yield the means of samples; the steps of their noise are those of `Sampling`."""
    dropouts = [each.label for each in network.layers if isinstance(each, Dropout | AlphaDropout)]
    noise = {label: sampling.noise[label] for label in dropouts}
    blocks = -(-len(split) // SAMPLING_ROWS)
    for block in range(blocks):
        rows = slice(block * SAMPLING_ROWS, (block + 1) * SAMPLING_ROWS)
        total: Array | float = 0.0
        for sample in range(sampling.samples):
            mode = Mode(noise, sample * blocks + block)
            logits = forward(network, weights, split.inputs[None, rows], mode).logits
            total = total + predictions(network.loss, logits)
        mean = np.asarray(total / sampling.samples)
        labels = np.broadcast_to(split.labels[rows], mean.shape[:2])
        yield Piece(
            mean,
            prediction_losses(network.loss, mean, labels),
            correct(network.loss, mean, labels, middle=0.5),
        )
