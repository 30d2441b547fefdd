"""What a learning-rate range test suggests, by both rules of the book."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SMOOTHING = 0.98
"""Weight of the past in the running mean of the loss."""
EXPLODED = 4.0
"""A loss of so many times the least so far has diverged."""


@dataclass(frozen=True)
class Suggestion:
    """Rates that a range test suggests.

    Attributes
    ----------
    turning_point
        The rate at which the smoothed loss is least: beyond it the loss climbs.
    tenth
        A tenth of that (Géron 2019, ch. 11).
    largest
        The largest rate before the loss diverges: is not finite, or `EXPLODED` times the least.
    half
        Half of that (Géron 2019, ch. 10).
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
    """Return what one lane's rates and losses of every step, [steps] each, suggest.

    The loss is smoothed with a running mean from which the bias of its start is removed (Smith
    2017, as the library fastai does it).
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
    """Return the running mean of a loss, [steps]."""
    steps = np.arange(1, len(loss) + 1)
    mean, means = 0.0, np.empty(len(loss))
    for step, value in enumerate(loss):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * value
        means[step] = mean
    return means / (1 - SMOOTHING**steps)
