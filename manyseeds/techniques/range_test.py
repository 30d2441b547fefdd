"""The learning rates that a range test suggests, by both rules of the book."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SMOOTHING = 0.98
"""Weight of the earlier steps in the running mean of the loss."""
EXPLODED = 4.0
"""A loss above this multiple of the least so far has diverged."""


@dataclass(frozen=True)
class Suggestion:
    """The learning rates that a range test suggests.

    Attributes
    ----------
    turning_point
        The rate at which the smoothed loss is least; beyond it the loss climbs.
    tenth
        A tenth of the turning point (Géron 2019, ch. 11).
    largest
        The largest rate before the loss diverges, that is becomes infinite or exceeds `EXPLODED`
        times its least.
    half
        Half of the largest rate (Géron 2019, ch. 10).
    """

    turning_point: float
    largest: float

    @property
    def tenth(self) -> float:
        """A tenth of the turning point."""
        return self.turning_point / 10

    @property
    def half(self) -> float:
        """Half of the largest rate."""
        return self.largest / 2


def suggestion(rate: Floats, loss: Floats) -> Suggestion:
    """Return the learning rates that one lane's range test suggests.

    The loss is smoothed with a bias-corrected running mean (Smith 2017, as in the library fastai).

    Parameters
    ----------
    rate, loss
        Learning rate and training loss of every step, [steps].
    """
    smooth = smoothed(loss)
    finite = np.isfinite(smooth)
    if not finite.any():
        return Suggestion(float(rate[0]), float(rate[0]))
    least = np.minimum.accumulate(np.where(finite, smooth, np.inf))
    exploded = ~finite | (smooth > EXPLODED * least)
    end = int(np.argmax(exploded)) if exploded.any() else len(rate)
    end = max(end, 1)
    return Suggestion(float(rate[np.argmin(smooth[:end])]), float(rate[end - 1]))


def smoothed(loss: Floats) -> Floats:
    """Return the bias-corrected running mean of a loss, [steps].

    >>> smoothed(np.array([2.0, 2.0, 2.0])).round(12).tolist()
    [2.0, 2.0, 2.0]
    """
    steps = np.arange(1, len(loss) + 1)
    mean, means = 0.0, np.empty(len(loss))
    for step, value in enumerate(loss):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * value
        means[step] = mean
    return means / (1 - SMOOTHING**steps)
