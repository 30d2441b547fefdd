"""Compares trajectories: the error is the largest relative distance over all tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from manyseeds.conformance.trajectory import Trajectory

TOLERANCE = 1e-9
"""The largest error of the same training on two backends, in float64 over 60 steps."""

Check = Literal["forward", "gradient", "step", "trajectory", "weights", "evaluation"]
CHECKS: tuple[Check, ...] = get_args(Check)
"""Loss of the first step; its gradient; both at the second step; both at every step; final weights;
scores, activities and Monte Carlo samples."""


@dataclass(frozen=True)
class TrajectoryComparison:
    """The errors of one trajectory against another, by check; each the largest over its tensors."""

    errors: Mapping[Check, float]

    @property
    def error(self) -> float:
        """The largest error of all checks."""
        return max(self.errors.values())

    @property
    def same(self) -> bool:
        """Whether the two are the same training."""
        return self.error <= TOLERANCE


def compare(ours: Trajectory, theirs: Trajectory) -> TrajectoryComparison:
    """Return the errors of `ours` against `theirs`.

    The error of a tensor is ||a - b|| / ||b||, taken lane by lane and, for losses and gradients,
    step by step. It is infinite for values that are not finite and for tensors that only one has.
    """
    errors: dict[Check, float] = dict.fromkeys(CHECKS, 0.0)
    if ours.keys() != theirs.keys():
        return TrajectoryComparison(dict.fromkeys(CHECKS, float("inf")))
    for name, expected in theirs.items():
        kind = name.split("/")[1]
        for check, steps in _checks(kind):
            a, b = ours[name], expected
            leading = 1
            if steps is not None:
                a, b, leading = a[:, steps], b[:, steps], 2
            errors[check] = max(errors[check], relative_distance(a, b, leading))
    return TrajectoryComparison(errors)


def _checks(kind: str) -> Iterator[tuple[Check, slice | None]]:
    """Yield the checks that use a tensor, and the steps of it that they use."""
    if kind == "weights":
        yield "weights", None
    elif kind == "scores":
        yield "evaluation", None
    else:
        yield ("gradient" if kind == "gradient" else "forward"), slice(0, 1)
        yield "step", slice(1, 2)
        yield "trajectory", slice(None)


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
