"""Training a cohort in NumPy: the loop over an epoch's steps, evaluation, gradients, weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from manyseeds.backend.settings import Settings
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
    check_structure,
)
from manyseeds.errors import RequestError
from manyseeds.suite.recipe import Phase
from manyseeds.techniques.network import Network
from manyseeds.techniques.network import Weights as AnyWeights
from manyseeds_numpy import faults
from manyseeds_numpy.activity import activities, moments
from manyseeds_numpy.arrays import Array, Weights
from manyseeds_numpy.augmentation import changed
from manyseeds_numpy.clipping import clipped, constrain, zeros
from manyseeds_numpy.layers import Mode
from manyseeds_numpy.losses import losses
from manyseeds_numpy.network import backward, forward
from manyseeds_numpy.optimizers import LaneOptimizer
from manyseeds_numpy.penalties import penalties
from manyseeds_numpy.scoring import scores


class NumpyBackend:
    """NumPy, opened with its settings."""

    def __init__(self, settings: Settings) -> None:
        if settings.device == "cuda":
            raise RequestError("the numpy backend knows no GPU: use --device cpu")
        self._settings = settings

    def describe(self) -> Environment:
        """Say what this backend runs on."""
        return Environment(
            backend="numpy",
            versions={"numpy": faults.version(np.__version__)},
            device="cpu",
            device_name="the CPU",
            threads=self._settings.threads or 0,
            switches={"precision": self._settings.precision},
        )

    def compiled(self) -> Compilation:
        """Return nothing: NumPy compiles nothing."""
        return Compilation()

    def peak_memory(self) -> int:
        """Return 0: there is no memory but the host's."""
        return 0

    def cohort(self, network: Network, data: Splits, lanes: int) -> NumpyCohort:
        """Return a cohort of so many lanes."""
        return NumpyCohort(network, data, lanes, np.dtype(self._settings.precision))


@dataclass(frozen=True)
class Gradients:
    """What one batch says.

    Attributes
    ----------
    loss
        Its mean loss, [lanes].
    penalty
        The sum of all penalties, [lanes]; None where the network has none.
    of
        Gradient of their sum by trained variable.
    moved
        Moving averages as this batch moves them.
    """

    loss: Array
    penalty: Array | None
    of: Weights
    moved: Weights


class NumpyCohort:
    """The networks of many seeds, trained in lockstep.

    Parameters
    ----------
    network
        What is trained; phases may change its hyperparameters.
    data
        Inputs [n, features] and labels [n] of every split.
    lanes
        How many networks.
    dtype
        Of weights, activations and updates.
    """

    def __init__(self, network: Network, data: Splits, lanes: int, dtype: np.dtype[Any]) -> None:
        self._network, self._data, self._lanes, self._dtype = network, data, lanes, dtype

    def begin(self, phase: Phase, weights: AnyWeights) -> None:
        """Start a phase: these weights, this phase's frozen layers, a fresh optimizer."""
        check_structure(self._network, phase)
        self._phase, self._network = phase, phase.network
        self._trained = phase.network.trained(phase.frozen)
        self._weights: Weights = {n: np.array(w, self._dtype) for n, w in weights.items()}
        self._optimizer = LaneOptimizer(phase.optimizer)
        self._zeros = zeros(self._weights) if phase.keep_zeros else {}

    @np.errstate(all="ignore")
    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes."""
        loss, penalty = np.zeros((2, self._lanes, epoch.step_count))
        for step in range(epoch.step_count):
            faults.training(self._phase.name, step, epoch, self._weights)
            found = self._gradients(Batch.of(epoch.steps(step, step + 1)))
            loss[:, step] = found.loss
            if found.penalty is not None:
                penalty[:, step] = found.penalty
            momentum = None if epoch.momentum is None else epoch.momentum[:, step]
            self._move(found, epoch.rate[:, step], momentum)
        penalised = any(layer.penalty for layer in self._network.dense())
        return EpochTrace(loss=loss, penalty=penalty if penalised else None)

    def _move(self, found: Gradients, rate: Array, momentum: Array | None) -> None:
        """Take an optimizer's step with rates and momenta [lanes], and what comes after it."""
        gradients = clipped(self._phase.clipping, found.of)
        self._optimizer.step(self._weights, gradients, rate, momentum)
        for layer in self._network.dense():
            if layer.label not in self._phase.frozen:
                constrain(layer, self._weights, self._zeros)
        self._weights |= found.moved

    @np.errstate(all="ignore")
    def evaluate(
        self,
        split: Literal["train", "valid"],
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
    ) -> Scores:
        """Score the lanes on a split, nothing dropped, `EVALUATION_ROWS` rows at a time."""
        data = {"train": self._data.train, "valid": self._data.valid}[split]
        return scores(self._network, self._weights, data, metrics, probabilities=probabilities)

    @np.errstate(all="ignore")
    def score(
        self,
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
        sampling: Sampling | None = None,
    ) -> Scores:
        """Score the lanes on the test split, by Monte Carlo dropout if that is asked for."""
        return scores(
            self._network,
            self._weights,
            self._data.test,
            metrics,
            probabilities=probabilities,
            sampling=sampling,
        )

    @np.errstate(all="ignore")
    def gradient(self, batch: Batch) -> AnyWeights:
        """Return the gradient of the training loss on a batch, with penalties, before clipping."""
        return self._gradients(batch).of

    @np.errstate(all="ignore")
    def activity(self, batch: Batch, *, training: bool) -> Mapping[str, Activity]:
        """Return what leaves each layer on rows of the training split, one lane after the other."""
        found = []
        for lane in range(self._lanes):
            here = slice(lane, lane + 1)
            weights = {name: values[here] for name, values in self._weights.items()}
            alone = batch.lanes(here)
            inputs, mode = self._data.train.inputs[alone.rows], Mode()
            if training:
                inputs, mode = self._inputs(alone), self._training(alone)
            found.append(moments(self._network, weights, inputs, mode))
        return activities(found)

    def weights(self) -> AnyWeights:
        """Return a copy of the weights, in the cohort's precision."""
        return {name: values.copy() for name, values in self._weights.items()}

    def _gradients(self, batch: Batch) -> Gradients:
        network, labels = self._network, self._data.train.labels[batch.rows]
        passed = forward(network, self._weights, self._inputs(batch), self._training(batch))
        loss, slope = losses(network.loss, passed.logits, labels)
        slope = (slope / batch.rows.shape[1]).astype(self._dtype)
        found = backward(network, passed, slope)
        penalty, added = penalties(network, self._weights)
        of = {name: found[name] + added.get(name, 0) for name in self._trained}
        return Gradients(loss.mean(axis=1), penalty, of, passed.moved)

    def _inputs(self, batch: Batch) -> Array:
        """Return what the lanes see of a batch in training, [lanes, batch, features]."""
        inputs = self._data.train.inputs[batch.rows]
        return inputs if batch.changes is None else changed(inputs, batch.changes)

    def _training(self, batch: Batch) -> Mode:
        """Return how layers behave in a training step."""
        noise = {label: batch.noise[label] for label in self._network.noises(1, 1)}
        learning = frozenset(self._network.labels()) - frozenset(self._phase.frozen)
        return Mode(noise, batch.step, learning)
