"""The frozen values that the harness and a backend exchange.

All arrays are NumPy arrays whose first axis is the lane.
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
"""Largest number of rows of a split that a backend evaluates at once, in all lanes."""

SAMPLING_ROWS = 1000
"""Number of rows of a split that share one step of noise in Monte Carlo dropout."""

Floats = NDArray[np.float64]
LaneIndex = slice | NDArray[np.int64]
"""A selection of lanes."""

Metric = Literal["loss", "accuracy"]


@dataclass(frozen=True)
class Environment:
    """Versions, device and switches of a backend; recorded in the provenance.

    Attributes
    ----------
    flags_left_out
        Flags that a backend wanted to set and that its compiler does not know; numbers may depend
        on them.
    """

    backend: str
    versions: Mapping[str, str]
    device: str
    device_name: str
    threads: int
    switches: Mapping[str, str | bool | int]
    flags_left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Split:
    """Examples: inputs [n, features] and labels [n], classes as integers or targets as floats."""

    inputs: NDArray[np.floating[Any]]
    labels: NDArray[Any]

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class Splits:
    """The data of a task; equal data have an equal `key`, by which a backend can cache them."""

    train: Split
    valid: Split
    test: Split
    key: str


@dataclass(frozen=True)
class EpochPlan:
    """The training of all lanes over a stretch of steps, usually an epoch.

    Attributes
    ----------
    order
        Rows of the training split in the order they are seen, [lanes, n]. They are cut into batches
        of `batch` rows; the last may be smaller, and its loss is the mean over the rows it has.
    batch
        Number of examples in a batch.
    rate
        Learning rate of every step, [lanes, steps].
    momentum
        Momentum of every step, [lanes, steps]; None for optimizers without momentum.
    noise
        Keys of the noise (`randomness.noise`): noise label (`Network.noises`) -> [lanes, 2] uint32.
    step
        Number of the first step in the noise counter: the steps this network has taken before.
    changes
        Changes of the images, [lanes, n, ...], in the order they are seen; None without
        augmentation.
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
        """Number of steps in this plan, the last smaller batch included."""
        return -(-int(self.order.shape[1]) // self.batch)

    def steps(self, first: int, stop: int) -> EpochPlan:
        """Return the part of the plan from step `first` up to, but without, step `stop`."""
        rows, steps = slice(first * self.batch, stop * self.batch), slice(first, stop)
        return replace(
            self,
            order=self.order[:, rows],
            rate=self.rate[:, steps],
            momentum=None if self.momentum is None else self.momentum[:, steps],
            step=self.step + first,
            changes=None if self.changes is None else self.changes[:, rows],
        )

    def lanes(self, chosen: LaneIndex) -> EpochPlan:
        """Return the plan of the chosen lanes."""
        return replace(
            self,
            order=self.order[chosen],
            rate=self.rate[chosen],
            momentum=None if self.momentum is None else self.momentum[chosen],
            noise={label: keys[chosen] for label, keys in self.noise.items()},
            changes=None if self.changes is None else self.changes[chosen],
        )


@dataclass(frozen=True)
class Compilation:
    """The number of programs traced and compiled, and the seconds this took."""

    programs: int = 0
    seconds: float = 0.0

    def __add__(self, other: Compilation) -> Compilation:
        return Compilation(self.programs + other.programs, self.seconds + other.seconds)

    def __sub__(self, other: Compilation) -> Compilation:
        return Compilation(self.programs - other.programs, self.seconds - other.seconds)


@dataclass(frozen=True)
class EpochTrace:
    """The results of an `EpochPlan`.

    Attributes
    ----------
    loss
        Training loss of every step before its update, without penalties, [lanes, steps], float64.
    penalty
        Sum of the network's penalties at every step before its update, [lanes, steps], float64;
        None for a network without penalties.
    compile_seconds, compilations
        Seconds spent in this call on tracing and compiling, not on training, and the number of
        programs.
    """

    loss: Floats
    penalty: Floats | None = None
    compile_seconds: float = 0.0
    compilations: int = 0


@dataclass(frozen=True)
class Scores:
    """The scores of lanes on a split.

    Attributes
    ----------
    metrics
        Metrics by name, [lanes], float64.
    probabilities
        If requested, the probabilities in the cohort's precision: of every class,
        [lanes, n, classes], or of class 1 alone for a logistic output, [lanes, n, 1].
    compile_seconds, compilations
        As in `EpochTrace`.
    """

    metrics: Mapping[str, Floats]
    probabilities: NDArray[np.floating[Any]] | None = None
    compile_seconds: float = 0.0
    compilations: int = 0


def check_metrics(network: Network, metrics: Collection[str], probabilities: bool) -> None:
    """Check that a network can be scored by these metrics.

    Raises
    ------
    RequestError
        A metric is unknown, or accuracy or probabilities are requested of a linear output.
    """
    for name in metrics:
        if name not in get_args(Metric):
            raise RequestError(unknown("metric", name, get_args(Metric)))
    if network.loss == "mean_squared_error" and ("accuracy" in metrics or probabilities):
        raise RequestError(
            f"network {network.name!r} has a linear output, which has neither accuracy nor "
            "probabilities: request 'loss' alone."
        )


def check_structure(network: Network, phase: Phase) -> None:
    """Check that a phase's network has the structure that its cohort was made for.

    Raises
    ------
    RequestError
        The structures differ.
    """
    if phase.network.structure() != network.structure():
        raise RequestError(
            f"phase {phase.name!r} has a network of another structure than its cohort's"
        )


@dataclass(frozen=True)
class Batch:
    """One step's rows and noise, for every lane.

    Attributes
    ----------
    rows
        Rows of the training split, [lanes, batch].
    noise
        As in `EpochPlan`: the keys of every noise of the network.
    step
        Number of the step in the noise counter.
    changes
        As in `EpochPlan`, [lanes, batch, ...].
    """

    rows: NDArray[np.int32]
    noise: Mapping[str, NDArray[np.uint32]] = field(default_factory=dict)
    step: int = 0
    changes: Changes | None = None

    @classmethod
    def of(cls, plan: EpochPlan) -> Batch:
        """Return all rows of a plan as one batch with the noise of the plan's first step."""
        return cls(plan.order, plan.noise, plan.step, plan.changes)

    def lanes(self, chosen: LaneIndex) -> Batch:
        """Return the batch of the chosen lanes."""
        return replace(
            self,
            rows=self.rows[chosen],
            noise={label: keys[chosen] for label, keys in self.noise.items()},
            changes=None if self.changes is None else self.changes[chosen],
        )


@dataclass(frozen=True)
class Activity:
    """Statistics of a layer's outputs over some examples, [lanes] each, float64.

    Attributes
    ----------
    mean, sd
        Means over the units of every unit's mean and of its standard deviation (divisor n).
    dead
        Share of units whose output is 0 for every example.
    """

    mean: Floats
    sd: Floats
    dead: Floats


@dataclass(frozen=True)
class Sampling:
    """Monte Carlo dropout: prediction with dropout on, averaged over samples.

    Sample s of the rows 1000 b to 1000 b + 999 of a split of n rows uses step
    s ceil(n / `SAMPLING_ROWS`) + b of the noise counter, its elements counted over those rows.
    Only dropout and alpha dropout are on; the other layers work as in prediction.

    Attributes
    ----------
    samples
        Number of predictions that are averaged.
    noise
        As in `EpochPlan`; at least the keys of the dropout and alpha dropout layers.
    """

    samples: int
    noise: Mapping[str, NDArray[np.uint32]]

    def lanes(self, chosen: LaneIndex) -> Sampling:
        """Return the sampling of the chosen lanes."""
        noise = {label: keys[chosen] for label, keys in self.noise.items()}
        return replace(self, noise=noise)
