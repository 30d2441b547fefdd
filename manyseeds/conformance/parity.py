"""Compares trajectories: the error is the largest relative distance over all tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyseeds.conformance.trajectory import Trajectory
from manyseeds.errors import RunError

TOLERANCE = 1e-9
"""The largest error of a recipe that is the same on two backends, in float64 over 60 steps."""


@dataclass(frozen=True)
class Comparison:
    """Errors of one trajectory against another, each the largest over its tensors and steps."""

    loss: float
    gradient: float
    weights: float
    scores: float

    @property
    def error(self) -> float:
        """The largest of all."""
        return max(self.loss, self.gradient, self.weights, self.scores)

    @property
    def same(self) -> bool:
        """Whether the two are the same training."""
        return self.error <= TOLERANCE


def compare(ours: Trajectory, theirs: Trajectory) -> Comparison:
    """Return the errors of `ours` against `theirs`.

    The error of a tensor is ||a - b|| / ||b||, taken lane by lane and, for losses and gradients,
    step by step. A value that is not finite makes it infinite.
    """
    if ours.keys() != theirs.keys():
        stray = sorted(ours.keys() ^ theirs.keys())
        raise RunError(f"two backends report different tensors: {', '.join(stray)}")
    errors = {"loss": 0.0, "gradient": 0.0, "weights": 0.0, "scores": 0.0}
    for name, theirs_ in theirs.items():
        kind = name.split("/")[1]
        key = {"penalty": "loss"}.get(kind, kind)
        leading = 2 if kind in {"loss", "penalty", "gradient"} else 1
        errors[key] = max(errors[key], relative_distance(ours[name], theirs_, leading))
    return Comparison(**errors)


def relative_distance(a: NDArray[np.float64], b: NDArray[np.float64], leading: int) -> float:
    """Return the largest ||a - b|| / ||b|| over the `leading` axes; 0 / 0 is 0."""
    if a.shape != b.shape:
        return float("inf")
    flat = (*a.shape[:leading], -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.linalg.norm((a - b).reshape(flat), axis=-1)
        size = np.linalg.norm(b.reshape(flat), axis=-1)
        ratio = np.where(distance == 0, 0.0, distance / size)
    return float(np.max(np.nan_to_num(ratio, nan=np.inf, posinf=np.inf), initial=0.0))
