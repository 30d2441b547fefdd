"""What crosses between the harness and a backend, as frozen values.

In every array the first axis is the lane, and everything is NumPy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.settings import Settings as Settings  # noqa: PLC0414  (part of the contract)
from manyseeds.errors import RequestError, unknown
from manyseeds.suite.recipe import Phase
from manyseeds.techniques.augmentation import Changes
from manyseeds.techniques.network import Network

EVALUATION_ROWS = 1024
"""Rows of a split that a backend may hold in all lanes at once when it evaluates."""

SAMPLING_ROWS = 1000
"""Rows of a split that one step of noise serves in Monte Carlo dropout."""

Floats = NDArray[np.float64]
Which = slice | NDArray[np.int64]
"""Some of the lanes."""

Metric = Literal["loss", "accuracy"]


@dataclass(frozen=True)
class Environment:
    """What a backend ran on: for the provenance."""

    backend: str
    versions: Mapping[str, str]
    device: str
    device_name: str
    threads: int
    switches: Mapping[str, str | bool | int]


@dataclass(frozen=True)
class Split:
    """Examples: inputs [n, features] and labels [n] (classes as integers, targets as floats)."""

    inputs: NDArray[np.floating[Any]]
    labels: NDArray[Any]

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class Splits:
    """A task's data; `key` is equal for equal data, so that a backend can keep it on its device."""

    train: Split
    valid: Split
    test: Split
    key: str


@dataclass(frozen=True)
class EpochPlan:
    """What the lanes do in one stretch of steps, usually an epoch.

    Attributes
    ----------
    order
        Rows of the training split in the order they are seen, [lanes, n]; cut into batches of
        `batch`, the last of which may be smaller (the loss is a mean over the batch as it is).
    batch
        Examples in a batch.
    rate
        Learning rate of every step, [lanes, steps].
    momentum
        Momentum of every step, [lanes, steps], for optimizers that have one, else None.
    noise
        Keys of the noise, noise label (`Network.noises`) -> [lanes, 2] uint32 (`randomness.noise`).
    step
        The first step's number in the noise counter: steps this network has taken before.
    changes
        What is done to the images, [lanes, n, ...], in the order they are seen; None where the
        phase augments nothing.
    """

    order: NDArray[np.int32]
    batch: int
    rate: Floats
    momentum: Floats | None
    noise: Mapping[str, NDArray[np.uint32]]
    step: int
    changes: Changes | None = None

    @property
    def step_count(self) -> int:
        """Batches in this plan, the last smaller one included."""
        return -(-int(self.order.shape[1]) // self.batch)

    def steps(self, first: int, stop: int) -> EpochPlan:
        """Return the plan of some of its steps, from `first` up to `stop`."""
        rows, steps = slice(first * self.batch, stop * self.batch), slice(first, stop)
        return replace(
            self,
            order=self.order[:, rows],
            rate=self.rate[:, steps],
            momentum=None if self.momentum is None else self.momentum[:, steps],
            step=self.step + first,
            changes=None if self.changes is None else self.changes[:, rows],
        )

    def lanes(self, which: Which) -> EpochPlan:
        """Return the plan of some of its lanes."""
        return replace(
            self,
            order=self.order[which],
            rate=self.rate[which],
            momentum=None if self.momentum is None else self.momentum[which],
            noise={label: keys[which] for label, keys in self.noise.items()},
            changes=None if self.changes is None else self.changes[which],
        )


@dataclass(frozen=True)
class Compilation:
    """What tracing and compiling took: programs, and their seconds."""

    programs: int = 0
    seconds: float = 0.0

    def __add__(self, other: Compilation) -> Compilation:
        return Compilation(self.programs + other.programs, self.seconds + other.seconds)

    def __sub__(self, other: Compilation) -> Compilation:
        return Compilation(self.programs - other.programs, self.seconds - other.seconds)


@dataclass(frozen=True)
class EpochTrace:
    """What came of an `EpochPlan`.

    Attributes
    ----------
    loss
        Training loss of every step before its update, without penalties, [lanes, steps], float64.
    penalty
        Sum of the network's penalties at every step before its update, [lanes, steps], float64;
        None where it has none.
    compile_seconds, compilations
        Time spent tracing and compiling in this call, and how many programs; apart from training.
    """

    loss: Floats
    penalty: Floats | None = None
    compile_seconds: float = 0.0
    compilations: int = 0


@dataclass(frozen=True)
class Scores:
    """What lanes were scored.

    Attributes
    ----------
    metrics
        By name, [lanes], float64.
    probabilities
        Where asked for, in the cohort's precision: of every class, [lanes, n, classes]; for a
        logistic output of class 1 alone, [lanes, n, 1].
    compile_seconds, compilations
        As for `EpochTrace`.
    """

    metrics: Mapping[str, Floats]
    probabilities: NDArray[np.floating[Any]] | None = None
    compile_seconds: float = 0.0
    compilations: int = 0


def check_metrics(network: Network, metrics: Collection[str], probabilities: bool) -> None:
    """Refuse what a network cannot be scored by.

    Raises
    ------
    RequestError
        A metric is unknown, or the network has a linear output and the accuracy or the
        probabilities are asked for.
    """
    for name in metrics:
        if name not in get_args(Metric):
            raise RequestError(unknown("metric", name, get_args(Metric)))
    if network.loss == "mean_squared_error" and ("accuracy" in metrics or probabilities):
        raise RequestError(
            f"network {network.name!r} has a linear output, which has no accuracy and no "
            "probabilities; ask for 'loss'."
        )


def check_structure(network: Network, phase: Phase) -> None:
    """Refuse a phase whose network has another structure than its cohort was made for."""
    if phase.network.structure() != network.structure():
        raise RequestError(
            f"phase {phase.name!r} has a network of another structure than its cohort's"
        )


@dataclass(frozen=True)
class Batch:
    """The same step for every lane.

    Attributes
    ----------
    rows
        Of the training split, [lanes, batch].
    noise
        As for `EpochPlan`: a key for every noise of the network; none for a network without.
    step
        The step's number in the noise counter.
    changes
        As for `EpochPlan`, [lanes, batch, ...].
    """

    rows: NDArray[np.int32]
    noise: Mapping[str, NDArray[np.uint32]] = field(default_factory=dict)
    step: int = 0
    changes: Changes | None = None

    @classmethod
    def of(cls, plan: EpochPlan) -> Batch:
        """Return all rows of a plan as one batch, with the noise of its first step."""
        return cls(plan.order, plan.noise, plan.step, plan.changes)

    def lanes(self, which: Which) -> Batch:
        """Return the batch of some of its lanes."""
        return replace(
            self,
            rows=self.rows[which],
            noise={label: keys[which] for label, keys in self.noise.items()},
            changes=None if self.changes is None else self.changes[which],
        )


@dataclass(frozen=True)
class Activity:
    """What leaves a layer, over some examples; each [lanes], float64.

    Attributes
    ----------
    mean, sd
        The mean over the units of each unit's mean, and of its standard deviation (with n).
    dead
        The share of units whose output is 0 for every example.
    """

    mean: Floats
    sd: Floats
    dead: Floats


@dataclass(frozen=True)
class Sampling:
    """How to predict with dropout on: Monte Carlo dropout.

    Sample s of the rows 1000 b to 1000 b + 999 of a split of n rows has the step
    s ceil(n / `SAMPLING_ROWS`) + b in the noise counter, its elements counted over those rows.
    Only dropout and alpha dropout are on: the other layers are as in prediction.

    Attributes
    ----------
    samples
        How many predictions are averaged.
    noise
        As for `EpochPlan`; at least the keys of the dropout and alpha dropout layers.
    """

    samples: int
    noise: Mapping[str, NDArray[np.uint32]]

    def lanes(self, which: Which) -> Sampling:
        """Return the sampling of some of its lanes."""
        noise = {label: keys[which] for label, keys in self.noise.items()}
        return replace(self, noise=noise)
