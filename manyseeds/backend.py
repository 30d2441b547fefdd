"""The contract a backend signs, and how backends are found.

A backend is found through the entry-point group `manyseeds.backends`: the entry point names a
`BackendEntry`, whose module imports no framework until `open` is called. The harness opens a
backend once in a process of its own and asks it for cohorts, which it uses one at a time.

In every array that crosses this line the first axis is the lane, and everything is NumPy.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from manyseeds.augmentation import Changes
from manyseeds.errors import RequestError, unknown
from manyseeds.network import Network, Weights
from manyseeds.recipe import Phase, Recipe
from manyseeds.settings import Settings as Settings  # noqa: PLC0414  (part of the contract)

GROUP = "manyseeds.backends"

EVALUATION_ROWS = 1024
"""Rows of a split that a backend may hold in all lanes at once when it evaluates."""
SAMPLING_ROWS = 1000
"""Rows of a split that one step of noise serves in Monte Carlo dropout."""

Floats = NDArray[np.float64]
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
        Keys of the noise, noise label (`Network.noises`) -> [lanes, 2] uint32 (`manyseeds.noise`).
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
    def steps(self) -> int:
        """Batches in this plan, the last smaller one included."""
        return -(-int(self.order.shape[1]) // self.batch)


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


class TrainingCohort(Protocol):
    """The networks of many seeds in training: all that the epoch driver can reach.

    A training step: change the images; forward, in training mode; the loss with its penalties;
    backward; clip the gradient; let the optimizer move what is trained; then rescale what is beyond
    its max-norm, and put back zeros that are kept. Batch normalisation moves its averages in the
    forward pass.

    A lane is the same training as that seed alone; what happens in one lane, NaN included, never
    touches another.
    """

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase: these weights, this phase's frozen layers, a fresh optimizer.

        `phase.network` has the structure the cohort was made for; its hyperparameters may differ
        from an earlier phase's, and are run-time arguments of the compiled program.
        """

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes."""

    def evaluate(
        self,
        split: Literal["train", "valid"],
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
    ) -> Scores:
        """Score the lanes on a split, nothing dropped, `EVALUATION_ROWS` rows at a time at most."""

    def gradient(self, batch: Batch) -> Weights:
        """Return the gradient of the training loss on a batch, by trained variable.

        With penalties, before clipping. Frozen layers and moving averages have none; nothing moves.
        """

    def activity(self, batch: Batch, *, training: bool) -> Mapping[str, Activity]:
        """Return what leaves each layer on rows of the training split, by label, in order.

        In training mode as in a training step, with the batch's noise and its own statistics
        (nothing moves); else as in prediction. The output layer's is that of its activation. Lanes
        are taken in pieces of bounded memory: a batch may be the whole split. In prediction images
        are not changed.
        """

    def weights(self) -> Weights:
        """Return a copy of the weights, in the cohort's precision."""


class Cohort(TrainingCohort, Protocol):
    """A cohort with its test split, which only the worker scores, once, after training."""

    def score(
        self,
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
        sampling: Sampling | None = None,
    ) -> Scores:
        """Score the lanes on the test split.

        With `sampling` the probabilities are means over samples, and the metrics are theirs: the
        loss is the mean of -log p of the label, the accuracy that of the most probable class. With
        a linear output the outputs are averaged, and the loss is their mean squared error.
        """


class Backend(Protocol):
    """A framework, opened with its settings."""

    def describe(self) -> Environment:
        """Say what this backend runs on."""

    def cohort(self, network: Network, data: Splits, lanes: int) -> Cohort:
        """Return a cohort; compiled programs and data are kept for the next of the same shape."""

    def compiled(self) -> Compilation:
        """Return all that was compiled in this process so far, in whatever call."""

    def peak_memory(self) -> int:
        """Return the most device memory used so far, in bytes; 0 on a CPU."""


class BackendEntry(Protocol):
    """What an entry point names: a backend that is not opened yet."""

    name: str
    requires: tuple[str, ...]
    """Importable modules without which it cannot be opened."""
    install: str
    """The command that installs them."""

    def unsupported(self, recipe: Recipe) -> str | None:
        """Return why this backend cannot train a recipe, or None if it can."""

    def open(self, settings: Settings) -> Backend:
        """Import the framework and apply the settings; once per process."""


@dataclass
class BrokenEntry:
    """Stands for a backend whose entry point cannot be loaded: the others go on without it."""

    name: str
    reason: str
    install: str
    requires: tuple[str, ...] = ()

    def unsupported(self, recipe: Recipe) -> str | None:
        """Return why nothing can be trained."""
        del recipe
        return self.reason

    def open(self, settings: Settings) -> Backend:
        """Raise a `RequestError`."""
        del settings
        raise RequestError(f"backend {self.name!r} cannot be used: {self.reason}")


def backend_entries() -> dict[str, BackendEntry]:
    """Return every backend that has an entry point, by name, usable or not."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    return {name: _load(found[name]) for name in sorted(found)}


def _load(point: EntryPoint) -> BackendEntry:
    try:
        entry: BackendEntry = point.load()
    except Exception as error:
        reason = f"its entry point {point.value!r} fails with {type(error).__name__}: {error}"
        package = point.dist.name if point.dist else point.value
        return BrokenEntry(point.name, reason, f"pip install --force-reinstall {package}")
    return entry


def absence(entry: BackendEntry) -> str | None:
    """Return why a backend cannot be opened here and what to do about it, or None if it can."""
    remedy = f"install it with: {entry.install}"
    if isinstance(entry, BrokenEntry):
        return f"{entry.reason} ({remedy})"
    missing = [name for name in entry.requires if importlib.util.find_spec(name) is None]
    return f"no module {', '.join(missing)} ({remedy})" if missing else None


def backend_entry(name: str) -> BackendEntry:
    """Return a backend by name, or raise a `RequestError` that says how to get it."""
    entries = backend_entries()
    if name not in entries:
        raise RequestError(unknown("backend", name, entries))
    if reason := absence(entries[name]):
        raise RequestError(f"backend {name!r} is not installed: {reason}")
    return entries[name]
