"""The protocols of a backend: an entry opens a backend, and a backend makes cohorts.

The harness opens a backend once, in a process of its own, and uses its cohorts one at a time. All
arrays that cross this line are NumPy arrays whose first axis is the lane.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from manyseeds.backend.settings import Device
from manyseeds.backend.settings import Settings as Settings  # noqa: PLC0414  (part of the contract)
from manyseeds.backend.values import (
    Activity,
    Batch,
    Compilation,
    Environment,
    EpochPlan,
    EpochTrace,
    Metric,
    Sampling,
    Scores,
    Splits,
)
from manyseeds.suite.recipe import Phase, Recipe
from manyseeds.techniques.network import Network, Weights


class TrainingCohort(Protocol):
    """The networks of many seeds in training, as far as the epoch driver can reach them.

    A training step changes the images, runs the network forward in training mode, computes the loss
    with its penalties and its gradient, clips the gradient, and lets the optimizer update the
    trained variables. Then it rescales weights beyond their max-norm and restores the zeros that
    `keep_zeros` protects. Batch normalisation updates its moving averages in the forward pass.

    A lane is the same training as that seed alone; nothing that happens in one lane, not even a
    NaN, affects another.
    """

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase with these weights, the phase's frozen layers and a fresh optimizer.

        `phase.network` has the structure that the cohort was made for. Its real-valued
        hyperparameters may differ from those of an earlier phase: they are run-time arguments of
        the compiled program.
        """

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the steps of the plan in all lanes and return their losses."""

    def evaluate(
        self,
        split: Literal["train", "valid"],
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
    ) -> Scores:
        """Score the lanes on a split without dropout, at most `EVALUATION_ROWS` rows at a time."""

    def gradient(self, batch: Batch) -> Weights:
        """Return the gradient of the training loss on a batch, by trained variable.

        It includes penalties and is not clipped. Frozen layers and moving averages have none.
        Nothing is updated.
        """

    def activity(self, batch: Batch, *, training: bool) -> Mapping[str, Activity]:
        """Return statistics of every layer's outputs on rows of the training split, by label.

        With `training` the layers work as in a training step, with the noise and the statistics of
        the batch, but nothing is updated. Otherwise they work as in prediction, and the images are
        not changed. The outputs of the output layer are those of its activation. The layers are in
        order. The batch may be the whole split: lanes are processed in groups of bounded memory.
        """

    def weights(self) -> Weights:
        """Return a copy of the weights, in the cohort's precision."""


class Cohort(TrainingCohort, Protocol):
    """A cohort with its test split, which the worker scores once, after training."""

    def score(
        self,
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
        sampling: Sampling | None = None,
    ) -> Scores:
        """Score the lanes on the test split.

        With `sampling` the probabilities are means over samples, and the metrics are computed from
        these means: the loss is the mean of -log p of the label, the accuracy that of the most
        probable class. A linear output is averaged instead; the loss is the mean squared error of
        the averages.
        """


class Backend(Protocol):
    """A framework that has been opened with its settings."""

    def describe(self) -> Environment:
        """Return versions, device and switches of this backend."""

    def cohort(self, network: Network, data: Splits, lanes: int) -> Cohort:
        """Return a cohort; a later one of the same shape reuses its compiled programs and data."""

    def compiled(self) -> Compilation:
        """Return the count and the seconds of all compilations of this backend so far."""

    def peak_memory(self) -> int:
        """Return the peak device memory so far, in bytes; 0 on a CPU."""


class BackendEntry(Protocol):
    """A backend that has not been opened yet; the entry point of a backend names one."""

    name: str
    requires: tuple[str, ...]
    """Modules that must be importable before the backend can be opened."""
    install: str
    """The command that installs these modules."""
    quick_compile_flags: Mapping[str, str]
    """Flags, by the environment variable that holds them, with which its compiler finishes many
    small programs sooner; {} for none. They change no number, and a compiler may not know them."""

    def unsupported(self, recipe: Recipe) -> str | None:
        """Return why this backend cannot train a recipe, or None if it can."""

    def free_memory(self, device: Device) -> int | None:
        """Return the bytes that are free on the accelerator a device names; None for a CPU."""

    def open(self, settings: Settings) -> Backend:
        """Import the framework, apply the settings and return the backend; once per process.

        Nothing of the user's surroundings may change a number: the framework's environment
        variables are left out (`manyseeds.processes.surroundings`).
        """
