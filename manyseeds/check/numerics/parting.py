"""Two fingerprints of one recipe: how far they are apart, check by check, and where they part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.check.numerics.fingerprint import distance, group_distance
from manyseeds.conformance.parity import CHECKS, Check, Comparison

Arrays = Mapping[str, NDArray[Any]]

NOTICED = 1e-11
"""Beyond which two fingerprints part: above rounding, and far below what is called a change."""

ASKED = ("data", "first", "noise", "counter", "order", "images", "rate", "momentum")
"""What the harness asks of a backend, in the order in which a step uses it."""
DONE = ("loss", "penalty", "gradient", "averages", "moved")
"""What a backend does of it at a step."""

_OF_ALL_LANES = ("data", "noise", "counter", "order")
"""Kept as one number for all lanes, and equal or not."""
_NUMBERS = ("loss", "penalty", "rate", "momentum")
"""Kept as they are, not as fingerprints."""

_IN_WORDS = {
    "data": "the data",
    "first": "the first weights",
    "noise": "the keys of the noise",
    "counter": "the step counter of the noise",
    "order": "the batch order",
    "images": "the changes of the images",
    "rate": "the rate",
    "momentum": "the momentum",
}
_TOLD = {
    "loss": "data and weights equal, loss not: the forward pass",
    "penalty": "loss equal, penalty not: the penalties",
    "gradient": "loss equal, gradients not: the backward pass",
    "averages": "gradients equal, moving averages not: the averages of batch normalisation",
    "moved": "gradients equal, weights not: the update",
}


@dataclass(frozen=True)
class Parting:
    """Where two trajectories part first.

    Attributes
    ----------
    phase
        Its name.
    step
        From 1, counted over all phases (epochs where early stopping drives); None: not in
        training.
    kind
        One of `ASKED` and `DONE`, "length" (one goes on where the other has stopped), "weights"
        (only those the phase leaves) or "scores" (only those).
    tensors
        The single tensors of that kind that differ, where they are kept.
    """

    phase: str
    step: int | None
    kind: str
    tensors: tuple[str, ...] = ()

    @property
    def asked(self) -> bool:
        """Whether the harness asked for something else."""
        return self.kind in ASKED

    @property
    def told(self) -> str:
        """Where they part, in words."""
        if self.kind == "weights":
            said = (
                f"every step of phase {self.phase!r} is equal, the weights it leaves are not: "
                "pruning, or which epoch is kept"
            )
        elif self.kind == "scores":
            said = f"training is equal in phase {self.phase!r}, scores are not: the prediction"
        elif self.kind == "length":
            said = f"equal until step {self.step}, after which one of them goes on: early stopping"
        elif self.asked:
            said = f"parts at step {self.step}: the harness asks otherwise: {_IN_WORDS[self.kind]}"
        else:
            said = f"parts at step {self.step}: {_TOLD[self.kind]}"
        return said + _listed(self.tensors)


def _listed(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    shown = ", ".join(names[:3])
    return f" ({shown}{f' and {len(names) - 3} more' if len(names) > 3 else ''})"


@dataclass(frozen=True)
class Differences:
    """Fingerprints now against fingerprints then, of the same recipe, steps and lanes.

    Attributes
    ----------
    ours, theirs
        Arrays of `following.summary`.
    phases
        Names, in order.
    """

    ours: Arrays
    theirs: Arrays
    phases: tuple[str, ...]

    @cached_property
    def strangers(self) -> tuple[str, ...]:
        """What only one of them has."""
        arrays = set(self.ours) ^ set(self.theirs)
        return tuple(sorted(arrays | (set(_names(self.ours)) ^ set(_names(self.theirs)))))

    @cached_property
    def tensors(self) -> dict[str, float]:
        """The distance of every single tensor, the largest of its lanes."""
        if self.strangers:
            return {}
        theirs = dict(zip(_names(self.theirs), self.theirs["tensors"], strict=True))
        return {
            name: float(np.max(distance(ours, theirs[name])))
            for name, ours in zip(_names(self.ours), self.ours["tensors"], strict=True)
        }

    def by_step(self, phase: str, kind: str) -> NDArray[np.float64]:
        """Return how far a phase's `kind` is apart at each step, the largest of the lanes.

        Where one of the two goes on for longer, one more step is infinitely far.
        """
        ours, theirs = (_of_kind(arrays, phase, kind) for arrays in (self.ours, self.theirs))
        if ours is None or theirs is None:
            return np.zeros(0)
        common = min(len(ours), len(theirs))
        found = _distances(kind, ours[:common], theirs[:common])
        return found if len(ours) == len(theirs) else np.append(found, np.inf)

    def _steps(self, phase: str, kind: str) -> int:
        """Return how many steps of a kind both have."""
        both = [_of_kind(arrays, phase, kind) for arrays in (self.ours, self.theirs)]
        return min(0 if values is None else len(values) for values in both)

    @cached_property
    def comparison(self) -> Comparison:
        """The errors by check, as the parity kit has them."""
        if self.strangers:
            return Comparison(dict.fromkeys(CHECKS, float("inf")))
        errors: dict[Check, float] = dict.fromkeys(CHECKS, 0.0)
        for check, error in self._errors():
            errors[check] = max(errors[check], error)
        return Comparison(errors)

    def _errors(self) -> Iterator[tuple[Check, float]]:
        for phase in self.phases:
            for kind in DONE:
                found = self.by_step(phase, kind)
                first: Check = "forward" if kind in ("loss", "penalty") else "gradient"
                if kind in ("averages", "moved"):  # those after the step: what the second one sees
                    yield "step", float(np.max(found[:1], initial=0.0))
                else:
                    yield first, float(np.max(found[:1], initial=0.0))
                    yield "step", float(np.max(found[1:2], initial=0.0))
                yield "trajectory", float(np.max(found, initial=0.0))
        for name, error in self.tensors.items():
            kind = name.split("/")[1]
            check: Check = "weights" if kind == "weights" else "evaluation"
            yield ("gradient" if kind == "gradient" else check), error

    @property
    def error(self) -> float:
        """The largest error."""
        return self.comparison.error

    @cached_property
    def parting(self) -> Parting | None:
        """Where they part first, None if nowhere."""
        before = 0
        for phase in self.phases:
            steps = self._steps(phase, "loss")
            if found := self._in_training(phase, steps, before):
                return found
            before += steps
            for kind in ("weights", "scores"):
                if differing := self._differing(f"{phase}/{kind}/"):
                    return Parting(phase, None, kind, differing)
        return None

    def _in_training(self, phase: str, steps: int, before: int) -> Parting | None:
        apart = {kind: self.by_step(phase, kind) > NOTICED for kind in (*ASKED, *DONE)}
        # Where the driver trains whole epochs, the harness still asks for the rate of each step.
        first = {
            kind: int(np.argmax(found)) * steps // max(1, self._steps(phase, kind))
            for kind, found in apart.items()
            if found.any()
        }
        if not first:
            return None
        # Of what differs at the same step the cause comes first.
        kind = min(first, key=lambda kind: (first[kind], (*ASKED, *DONE).index(kind)))
        if first[kind] >= steps:
            return Parting(phase, before + steps, "length")
        at_start = first[kind] == 0 and kind == "gradient"
        tensors = self._differing(f"{phase}/gradient/") if at_start else ()
        return Parting(phase, before + first[kind] + 1, kind, tensors)

    def _differing(self, start: str) -> tuple[str, ...]:
        return tuple(
            name.removeprefix(start)
            for name, error in self.tensors.items()
            if name.startswith(start) and error > NOTICED
        )


def _of_kind(arrays: Arrays, phase: str, kind: str) -> NDArray[Any] | None:
    """Return a phase's arrays of a kind, the steps on the first axis."""
    values = arrays.get(f"{phase}/asked/{kind}" if kind in ASKED else f"{phase}/{kind}")
    if values is None or kind in _OF_ALL_LANES:
        return values
    return values[None] if kind == "first" else np.moveaxis(values, 1, 0)


def _distances(kind: str, ours: NDArray[Any], theirs: NDArray[Any]) -> NDArray[np.float64]:
    if ours.shape != theirs.shape:
        return np.full(len(ours), np.inf)
    if kind in _OF_ALL_LANES:
        return np.where(ours == theirs, 0.0, np.inf)
    far = _ratio if kind in _NUMBERS else group_distance
    return np.asarray(far(ours, theirs).max(axis=1))


def _names(arrays: Arrays) -> list[str]:
    return [str(name) for name in arrays["names"]]


def _ratio(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.abs(ours - theirs)
        ratio = np.where(difference == 0, 0.0, difference / np.abs(theirs))
    return np.asarray(np.nan_to_num(ratio, nan=np.inf, posinf=np.inf))
