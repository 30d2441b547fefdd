"""The contract a backend signs: an entry, which opens a backend, which makes cohorts.

The harness opens a backend once in a process of its own and asks it for cohorts, which it uses one
at a time. In every array that crosses this line the first axis is the lane, and everything is
NumPy.
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

    def free_memory(self, device: Device) -> int | None:
        """Return the bytes that are free on the accelerator a device names; None for a CPU."""

    def open(self, settings: Settings) -> Backend:
        """Import the framework and apply the settings; once per process."""
