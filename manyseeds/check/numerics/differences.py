"""Differences between two fingerprints of one recipe: errors by check, and the first difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.check.baseline import BaselineEntry
from manyseeds.check.numerics.fingerprint import distance, group_distance
from manyseeds.conformance.comparison import CHECKS, Check, TrajectoryComparison

Arrays = Mapping[str, NDArray[Any]]

NOTICED = 1e-11
"""The least difference that counts as the first: above rounding, far below a change."""

REQUESTED = ("data", "first", "noise", "counter", "order", "images", "rate", "momentum")
"""Kinds of arrays with the harness's requests to a backend, in the order a step uses them."""
COMPUTED = ("loss", "penalty", "gradient", "averages", "moved")
"""Kinds of arrays with a backend's results of a step, in the order it computes them."""

_OF_ALL_LANES = ("data", "noise", "counter", "order")
"""Stored as one number for all lanes, which must be equal."""
_NUMBERS = ("loss", "penalty", "rate", "momentum")
"""Stored as they are, not as fingerprints."""

_REQUEST_NAMES = {
    "data": "the data",
    "first": "the first weights",
    "noise": "the keys of the noise",
    "counter": "the step counter of the noise",
    "order": "the batch order",
    "images": "the augmentation of the images",
    "rate": "the rate",
    "momentum": "the momentum",
}
_COMPUTED_MESSAGES = {
    "loss": "data and weights are equal, the loss is not: the forward pass",
    "penalty": "losses are equal, penalties are not: the penalties",
    "gradient": "losses are equal, gradients are not: the backward pass",
    "averages": "gradients are equal, moving averages are not: batch normalisation's averages",
    "moved": "gradients are equal, weights are not: the update",
}


@dataclass(frozen=True)
class FirstDifference:
    """The place where two trajectories first differ.

    Attributes
    ----------
    phase
        The name of the phase.
    step
        The step, from 1, counted over all phases (epochs under early stopping); None if the
        difference is not in training.
    kind
        One of `REQUESTED` and `COMPUTED`, "length" (one trajectory continues where the other has
        stopped), "weights" (only the phase's final weights) or "scores" (only the scores).
    tensors
        The tensors of that kind that differ, if they are stored one by one.
    """

    phase: str
    step: int | None
    kind: str
    tensors: tuple[str, ...] = ()

    @property
    def in_request(self) -> bool:
        """Whether the requests of the harness differ, rather than the results of the backend."""
        return self.kind in REQUESTED

    @property
    def message(self) -> str:
        """The place in words."""
        if self.kind == "weights":
            text = (
                f"every step of phase {self.phase!r} is equal, the weights it leaves are not: "
                "pruning, or the choice of the best epoch"
            )
        elif self.kind == "scores":
            text = f"training is equal in phase {self.phase!r}, scores are not: the prediction"
        elif self.kind == "length":
            text = f"equal until step {self.step}, where only one of them stops: early stopping"
        elif self.in_request:
            request = _REQUEST_NAMES[self.kind]
            text = f"first difference at step {self.step}: the harness changed {request}"
        else:
            text = f"first difference at step {self.step}: {_COMPUTED_MESSAGES[self.kind]}"
        return text + _listed(self.tensors)


def _listed(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    shown = ", ".join(names[:3])
    return f" ({shown}{f' and {len(names) - 3} more' if len(names) > 3 else ''})"


@dataclass(frozen=True)
class FingerprintDifferences:
    """Two fingerprints of the same recipe, steps and lanes, compared.

    Attributes
    ----------
    ours, theirs
        The arrays of `following.summary`, now and in the baseline.
    phases
        Names, in order.
    """

    ours: Arrays
    theirs: Arrays
    phases: tuple[str, ...]

    @cached_property
    def unmatched(self) -> tuple[str, ...]:
        """The arrays and tensors that only one of the two has."""
        arrays = set(self.ours) ^ set(self.theirs)
        return tuple(sorted(arrays | (set(_names(self.ours)) ^ set(_names(self.theirs)))))

    @cached_property
    def tensors(self) -> dict[str, float]:
        """The distance of every tensor that is stored one by one, the largest over its lanes."""
        if self.unmatched:
            return {}
        theirs = dict(zip(_names(self.theirs), self.theirs["tensors"], strict=True))
        return {
            name: float(np.max(distance(ours, theirs[name])))
            for name, ours in zip(_names(self.ours), self.ours["tensors"], strict=True)
        }

    def by_step(self, phase: str, kind: str) -> NDArray[np.float64]:
        """Return the distance of a phase's arrays of a kind, [steps], the largest over the lanes.

        If one trajectory is longer, there is one more step with an infinite distance.
        """
        ours, theirs = (_of_kind(arrays, phase, kind) for arrays in (self.ours, self.theirs))
        if ours is None or theirs is None:
            return np.zeros(0)
        common = min(len(ours), len(theirs))
        distances = _distances(kind, ours[:common], theirs[:common])
        return distances if len(ours) == len(theirs) else np.append(distances, np.inf)

    def _steps(self, phase: str, kind: str) -> int:
        """Return how many steps of a kind both have."""
        both = [_of_kind(arrays, phase, kind) for arrays in (self.ours, self.theirs)]
        return min(0 if values is None else len(values) for values in both)

    @cached_property
    def comparison(self) -> TrajectoryComparison:
        """The errors by check, as the parity kit has them."""
        if self.unmatched:
            return TrajectoryComparison(dict.fromkeys(CHECKS, float("inf")))
        errors: dict[Check, float] = dict.fromkeys(CHECKS, 0.0)
        for check, error in self._errors():
            errors[check] = max(errors[check], error)
        return TrajectoryComparison(errors)

    def _errors(self) -> Iterator[tuple[Check, float]]:
        for phase in self.phases:
            for kind in COMPUTED:
                errors = self.by_step(phase, kind)
                first: Check = "forward" if kind in ("loss", "penalty") else "gradient"
                if kind in ("averages", "moved"):  # the second step starts from the first's
                    yield "step", float(np.max(errors[:1], initial=0.0))
                else:
                    yield first, float(np.max(errors[:1], initial=0.0))
                    yield "step", float(np.max(errors[1:2], initial=0.0))
                yield "trajectory", float(np.max(errors, initial=0.0))
        for name, error in self.tensors.items():
            kind = name.split("/")[1]
            check: Check = "weights" if kind == "weights" else "evaluation"
            yield ("gradient" if kind == "gradient" else check), error

    @property
    def error(self) -> float:
        """The largest error."""
        return self.comparison.error

    @cached_property
    def first(self) -> FirstDifference | None:
        """The first difference; None if there is none."""
        before = 0
        for phase in self.phases:
            steps = self._steps(phase, "loss")
            if difference := self._in_training(phase, steps, before):
                return difference
            before += steps
            for kind in ("weights", "scores"):
                if differing := self._differing(f"{phase}/{kind}/"):
                    return FirstDifference(phase, None, kind, differing)
        return None

    def _in_training(self, phase: str, steps: int, before: int) -> FirstDifference | None:
        kinds = (*REQUESTED, *COMPUTED)
        apart = {kind: self.by_step(phase, kind) > NOTICED for kind in kinds}
        # Under early stopping a step is a whole epoch, but the harness still asks for the rate of
        # every single step.
        first = {
            kind: int(np.argmax(differs)) * steps // max(1, self._steps(phase, kind))
            for kind, differs in apart.items()
            if differs.any()
        }
        if not first:
            return None
        # Of several kinds that differ from the same step on, the first is the cause.
        kind = min(first, key=lambda kind: (first[kind], kinds.index(kind)))
        if first[kind] >= steps:
            return FirstDifference(phase, before + steps, "length")
        at_start = first[kind] == 0 and kind == "gradient"
        tensors = self._differing(f"{phase}/gradient/") if at_start else ()
        return FirstDifference(phase, before + first[kind] + 1, kind, tensors)

    def _differing(self, start: str) -> tuple[str, ...]:
        return tuple(
            name.removeprefix(start)
            for name, error in self.tensors.items()
            if name.startswith(start) and error > NOTICED
        )


def differences_between(now: BaselineEntry, then: BaselineEntry) -> FingerprintDifferences:
    """Return the differences of two entries that were made under the same conditions."""
    return FingerprintDifferences(now.arrays, then.arrays, tuple(now.context["phases"]))


def _of_kind(arrays: Arrays, phase: str, kind: str) -> NDArray[Any] | None:
    """Return a phase's arrays of a kind, the steps on the first axis."""
    values = arrays.get(f"{phase}/asked/{kind}" if kind in REQUESTED else f"{phase}/{kind}")
    if values is None or kind in _OF_ALL_LANES:
        return values
    return values[None] if kind == "first" else np.moveaxis(values, 1, 0)


def _distances(kind: str, ours: NDArray[Any], theirs: NDArray[Any]) -> NDArray[np.float64]:
    if ours.shape != theirs.shape:
        return np.full(len(ours), np.inf)
    if kind in _OF_ALL_LANES:
        return np.where(ours == theirs, 0.0, np.inf)
    measure = _relative_difference if kind in _NUMBERS else group_distance
    return np.asarray(measure(ours, theirs).max(axis=1))


def _names(arrays: Arrays) -> list[str]:
    return [str(name) for name in arrays["names"]]


def _relative_difference(
    ours: NDArray[np.float64], theirs: NDArray[np.float64]
) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.abs(ours - theirs)
        ratio = np.where(difference == 0, 0.0, difference / np.abs(theirs))
    return np.asarray(np.nan_to_num(ratio, nan=np.inf, posinf=np.inf))
