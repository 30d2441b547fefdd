"""Training a cohort in NumPy: the loop over an epoch's steps, evaluation, gradients, weights."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend import (
    EVALUATION_ROWS,
    Batch,
    Environment,
    EpochPlan,
    EpochTrace,
    Metric,
    Scores,
    Settings,
    Split,
    Splits,
)
from manyseeds.errors import RequestError
from manyseeds.network import Network
from manyseeds.network import Weights as AnyWeights
from manyseeds.recipe import Phase
from manyseeds_numpy import faults
from manyseeds_numpy.network import Weights, backward, correct, forward, losses, probabilities
from manyseeds_numpy.optimizers import LaneOptimizer


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
            versions={"numpy": np.__version__},
            device="cpu",
            device_name="the CPU",
            threads=self._settings.threads or 0,
            switches={"precision": self._settings.precision},
        )

    def peak_memory(self) -> int:
        """Return 0: there is no memory but the host's."""
        return 0

    def cohort(self, network: Network, data: Splits, lanes: int) -> NumpyCohort:
        """Return a cohort of so many lanes."""
        return NumpyCohort(data, lanes, np.dtype(self._settings.precision))


class NumpyCohort:
    """The networks of many seeds, trained in lockstep.

    Parameters
    ----------
    data
        Inputs [n, features] and labels [n] of every split.
    lanes
        How many networks.
    dtype
        Of weights, activations and updates.
    """

    def __init__(self, data: Splits, lanes: int, dtype: np.dtype[Any]) -> None:
        self._data, self._lanes, self._dtype = data, lanes, dtype

    def begin(self, phase: Phase, weights: AnyWeights) -> None:
        """Start a phase: these weights, this phase's frozen layers, a fresh optimizer."""
        self._phase = phase
        self._weights: Weights = {n: np.array(w, self._dtype) for n, w in weights.items()}
        self._optimizer = LaneOptimizer(phase.optimizer)

    @np.errstate(all="ignore")
    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes."""
        loss = np.empty((self._lanes, epoch.steps))
        for step in range(epoch.steps):
            faults.training(self._phase.name, step, epoch, self._weights)
            rows = epoch.order[:, step * epoch.batch : (step + 1) * epoch.batch]
            batch = Batch(rows=rows, noise=epoch.noise, step=epoch.step + step)
            loss[:, step], gradients = self._loss_and_gradients(batch)
            momentum = None if epoch.momentum is None else epoch.momentum[:, step]
            self._optimizer.step(self._weights, gradients, epoch.rate[:, step], momentum)
        return EpochTrace(loss=loss)

    def evaluate(
        self,
        split: Literal["train", "valid"],
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
    ) -> Scores:
        """Score the lanes on a split, nothing dropped, `EVALUATION_ROWS` rows at a time."""
        data = {"train": self._data.train, "valid": self._data.valid}[split]
        return self._scores(data, metrics, probabilities)

    def score(self, metrics: tuple[Metric, ...], *, probabilities: bool = False) -> Scores:
        """Score the lanes on the test split."""
        return self._scores(self._data.test, metrics, probabilities)

    @np.errstate(all="ignore")
    def gradient(self, batch: Batch) -> AnyWeights:
        """Return the gradient of the training loss on a batch; frozen layers have none."""
        return self._loss_and_gradients(batch)[1]

    def weights(self) -> AnyWeights:
        """Return a copy of the weights, in the cohort's precision."""
        return {name: values.copy() for name, values in self._weights.items()}

    def _loss_and_gradients(self, batch: Batch) -> tuple[NDArray[np.floating[Any]], Weights]:
        network, train = self._phase.network, self._data.train
        inputs, labels = train.inputs[batch.rows], train.labels[batch.rows]
        logits, memory = forward(network, self._weights, inputs, batch.noise, batch.step)
        loss, slope = losses(network.loss, logits, labels)
        slope = (slope / batch.rows.shape[1]).astype(self._dtype)
        frozen = self._phase.frozen
        return loss.mean(axis=1), backward(network, self._weights, memory, slope, frozen)

    @np.errstate(all="ignore")
    def _scores(self, data: Split, metrics: tuple[Metric, ...], wanted: bool) -> Scores:
        network = self._phase.network
        sums = {name: np.zeros(self._lanes) for name in metrics}
        found = []
        for start in range(0, len(data), EVALUATION_ROWS):
            rows = slice(start, start + EVALUATION_ROWS)
            logits, _ = forward(network, self._weights, data.inputs[rows])
            labels = np.broadcast_to(data.labels[rows], logits.shape[:2])
            if "loss" in sums:
                loss, _ = losses(network.loss, logits, labels)
                sums["loss"] += loss.sum(axis=1, dtype=np.float64)
            if "accuracy" in sums:
                sums["accuracy"] += correct(network.loss, logits, labels).sum(axis=1)
            if wanted:
                found.append(probabilities(network.loss, logits))
        return Scores(
            metrics={name: total / len(data) for name, total in sums.items()},
            probabilities=np.concatenate(found, axis=1) if wanted else None,
        )
