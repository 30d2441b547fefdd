"""Calibration of predicted probabilities: log loss, Brier score, expected calibration error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 15


def calibration(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[Any]
) -> dict[str, Floats]:
    """Return "log_loss", "brier" and "ece" of each lane, [lanes].

    Parameters
    ----------
    probabilities
        [lanes, n, classes], or [lanes, n, 1] of class 1 alone.
    labels
        Classes, [n].

    Notes
    -----
    The Brier score is the mean over examples of the sum over classes of (p - y)^2 (Brier 1950). The
    expected calibration error is the mean distance between confidence and accuracy over `BINS`
    equal bins of confidence, weighted by their examples (Naeini et al. 2015; Guo et al. 2017).
    """
    chances = np.asarray(probabilities, np.float64)
    if chances.shape[-1] == 1:
        chances = np.concatenate([1 - chances, chances], axis=-1)
    classes = np.asarray(labels).astype(int)
    of_label = chances[:, np.arange(len(classes)), classes]
    with np.errstate(divide="ignore"):
        log_loss = -np.log(of_label).mean(axis=1)
    truth = classes[:, None] == np.arange(chances.shape[-1])
    brier = ((chances - truth) ** 2).sum(axis=-1).mean(axis=-1)
    confidence, right = chances.max(axis=-1), chances.argmax(axis=-1) == classes
    return {"log_loss": log_loss, "brier": brier, "ece": _expected_error(confidence, right)}


def _expected_error(confidence: Floats, right: NDArray[np.bool_]) -> Floats:
    """Return the expected calibration error of [lanes, n] predictions, [lanes]."""
    lanes, n = confidence.shape
    place = np.clip(np.ceil(np.nan_to_num(confidence) * BINS).astype(int) - 1, 0, BINS - 1)
    bins = (np.arange(lanes)[:, None] * BINS + place).ravel()
    gaps = np.bincount(bins, (confidence - right).ravel(), minlength=lanes * BINS)
    return np.asarray(np.abs(gaps.reshape(lanes, BINS)).sum(axis=1) / n)
