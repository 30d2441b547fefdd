"""A cohort in JAX: its lanes, spread over the CPU's threads or side by side; and the backend."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import partial
from typing import Any, Literal

import cachetools
import numpy as np

from manyseeds.augmentation import Changes
from manyseeds.backend import (
    Activity,
    Batch,
    Compilation,
    Environment,
    EpochPlan,
    EpochTrace,
    Metric,
    Sampling,
    Scores,
    Settings,
    Split,
    Splits,
    check_metrics,
    check_structure,
)
from manyseeds.knobs import clipping_knobs, network_knobs, optimizer_knobs
from manyseeds.layers import AlphaDropout, Dropout
from manyseeds.network import Network, Weights
from manyseeds.recipe import Phase
from manyseeds_jax import device as devices
from manyseeds_jax import optimizers, scoring
from manyseeds_jax.activity import activity
from manyseeds_jax.augmentation import LaneChanges
from manyseeds_jax.device import Lanes
from manyseeds_jax.layout import Layout
from manyseeds_jax.network import Noise
from manyseeds_jax.programs import Call, call, spent
from manyseeds_jax.training import Fixed, LaneBatch, LaneModel, Moving, Plan, Shared
from manyseeds_jax.variables import PARAMS, LaneWeights, Variables, flat, lane_weights

SplitName = Literal["train", "valid", "test"]
Tree = Any

KEPT_TASKS = 3
"""How many tasks' data stay on the device."""
EVALUATION_ELEMENTS = {"cpu": 1 << 22, "cuda": 1 << 26}
"""Most elements of one layer's activations at a time in evaluation: on a GPU, on a CPU's thread."""


class JaxCohort:
    """The networks of many seeds; see `manyseeds.backend.Cohort`."""

    def __init__(self, backend: JaxBackend, network: Network, data: Splits, lanes: int) -> None:
        self._backend = backend
        self._dtype = backend.device.dtype
        self._network = network
        self._data = data
        self._lanes = Lanes(backend.device, lanes)
        features = data.train.inputs.shape[1]
        self._features = features
        self._variables = network.variables(features)
        elements = EVALUATION_ELEMENTS[backend.device.kind]
        widest = max(network.widths(features).values())
        self._chunk = max(1, elements // (self._lanes.at_once * widest))

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase with these weights and a fresh optimizer."""
        check_structure(self._network, phase)
        clipping = phase.clipping.name if phase.clipping else None
        layout = Layout.of(phase.network, self._features, phase.frozen)
        self._model = LaneModel(phase.network, layout, phase.frozen, phase.optimizer.name, clipping)
        knobs = optimizer_knobs(phase.optimizer, self._dtype)
        first = lane_weights(weights, self._variables, layout, phase.frozen, self._dtype)
        state = optimizers.initial_state(phase.optimizer.name, first.trained, knobs)
        self._moving = self._lanes.put(Moving(first.trained, first.moving, state))
        kept = _nonzero(first.trained) if phase.keep_zeros else {}
        self._fixed = self._lanes.put(Fixed(first.frozen, kept))
        numbers = layout.stacked(network_knobs(phase.network, self._dtype), axis=0)
        self._network_knobs = self._lanes.share(numbers)
        self._optimizer_knobs = self._lanes.share(knobs)
        self._clipping_knobs = self._lanes.share(clipping_knobs(phase.clipping, self._dtype))

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes, without a word to the host in between."""
        model = self._model
        shared = self._shared("train", training=True)
        arguments = (self._moving, (self._fixed, self._plan(epoch)), shared)
        program = partial(model.train, epoch.batch)
        found = call(("train", model.name, epoch.batch), self._lanes, program, arguments)
        self._moving, (loss, penalty) = found.result
        return EpochTrace(
            self._lanes.get(loss).astype(np.float64),
            None if penalty is None else self._lanes.get(penalty).astype(np.float64),
            found.seconds,
            found.compilations,
        )

    def evaluate(
        self,
        split: Literal["train", "valid"],
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
    ) -> Scores:
        """Score the lanes on a split, nothing dropped."""
        return self._evaluate(split, metrics, probabilities)

    def score(
        self,
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
        sampling: Sampling | None = None,
    ) -> Scores:
        """Score the lanes on the test split, or sample from them."""
        if sampling is None:
            return self._evaluate("test", metrics, probabilities)
        return self._sample(sampling, metrics, probabilities)

    def gradient(self, batch: Batch) -> Weights:
        """Return the gradient of the training loss on a batch; frozen layers have none."""
        model = self._model

        def gradient(_: Tree, fixed: tuple[LaneWeights, LaneBatch], shared: Shared) -> Tree:
            return model.slope(*fixed, shared).gradient

        arguments = ((), (self._weights(), self._batch(batch)), self._shared("train"))
        found = call(("gradient", model.name), self._lanes, gradient, arguments).result
        return self._flat({PARAMS: found}, model.network.trained(model.frozen))

    def activity(self, batch: Batch, *, training: bool) -> Mapping[str, Activity]:
        """Return what leaves each layer on rows of the training split, one lane at a time."""
        model = self._model

        def measure(_: Tree, fixed: tuple[LaneWeights, LaneBatch], shared: Shared) -> Tree:
            return activity(model, training, *fixed, shared)

        asked = batch if training else Batch(batch.rows)
        given = self._batch(asked, noisy=training)
        arguments = ((), (self._weights(), given), self._shared("train"))
        name = ("activity", model.name, training)
        result = call(name, self._lanes, measure, arguments, one_by_one=True).result
        found = {label: self._lanes.get(values) for label, values in result.items()}
        places = {layer.label: model.layout.place(layer.label) for layer in model.network.layers}
        return {
            label: Activity(*found[first][index].T.astype(np.float64))
            for label, (first, index) in places.items()
        }

    def weights(self) -> Weights:
        """Return a copy of the weights, in the cohort's precision."""
        return self._flat(self._weights().variables(), self._variables)

    def _evaluate(self, split: SplitName, metrics: tuple[Metric, ...], outputs: bool) -> Scores:
        check_metrics(self._network, metrics, outputs)
        model, chunk = self._model, self._chunk

        def evaluate(_: Tree, variables: Variables, shared: Shared) -> Tree:
            return scoring.evaluated(model, chunk, outputs, variables, shared)

        name = ("evaluate", model.shape, chunk, outputs)
        arguments = ((), self._weights().variables(), self._shared(split))
        return self._scores(call(name, self._lanes, evaluate, arguments), split, metrics)

    def _sample(self, sampling: Sampling, metrics: tuple[Metric, ...], outputs: bool) -> Scores:
        check_metrics(self._network, metrics, outputs)
        model = self._model

        def sample(_: Tree, fixed: Tree, shared: tuple[Shared, Tree]) -> Tree:
            variables, keys = fixed
            return scoring.sampled(model, outputs, variables, keys, *shared)

        dropouts = [
            each.label for each in model.network.layers if isinstance(each, Dropout | AlphaDropout)
        ]
        drawn = {label: sampling.noise[label] for label in dropouts}
        keys = self._lanes.put(model.layout.stacked(drawn, axis=1))
        samples = self._lanes.share(np.asarray(sampling.samples, np.int32))
        fixed = (self._weights().variables(), keys)
        name = ("sample", model.shape, outputs)
        arguments = ((), fixed, (self._shared("test"), samples))
        return self._scores(call(name, self._lanes, sample, arguments), "test", metrics)

    def _scores(self, found: Call, split: SplitName, metrics: tuple[Metric, ...]) -> Scores:
        loss, right, outputs = self._lanes.get(found.result)
        sums: dict[Metric, Any] = {"loss": loss, "accuracy": right}
        rows = len(getattr(self._data, split))
        means = {str(key): sums[key].sum(axis=1, dtype=np.float64) / rows for key in metrics}
        joined = np.concatenate(outputs, axis=1) if outputs else None
        return Scores(means, joined, found.seconds, found.compilations)

    def _plan(self, epoch: EpochPlan) -> Plan:
        momentum = np.zeros_like(epoch.rate) if epoch.momentum is None else epoch.momentum
        order = np.asarray(epoch.order, np.int32)
        series = (order, epoch.rate.astype(self._dtype), momentum.astype(self._dtype))
        rows, rates, momenta = self._lanes.put(series)
        noise = self._noise(epoch.noise, epoch.step, len(order))
        return Plan(rows, rates, momenta, noise, self._changes(epoch.changes))

    def _batch(self, batch: Batch, *, noisy: bool = True) -> LaneBatch:
        rows = np.asarray(batch.rows, np.int32)
        noise = self._noise(batch.noise, batch.step, len(rows), noisy=noisy)
        return LaneBatch(self._lanes.put(rows), noise, self._changes(batch.changes))

    def _noise(
        self, keys: Mapping[str, Any], step: int, lanes: int, *, noisy: bool = True
    ) -> Noise:
        """Return the keys of all the network's noises, and the step."""
        labels = self._network.noises(1, 1) if noisy else ()
        needed = self._model.layout.stacked({label: keys[label] for label in labels}, axis=1)
        return Noise(*self._lanes.put((needed, np.full(lanes, step, np.uint32))))

    def _changes(self, changes: Changes | None) -> LaneChanges | None:
        if changes is None:
            return None
        parts = (changes.affine, changes.gain, changes.offset)
        return LaneChanges(*self._lanes.put(tuple(part.astype(self._dtype) for part in parts)))

    def _shared(self, split: SplitName, *, training: bool = False) -> Shared:
        inputs, labels = self._backend.columns(self._data, split, self._network, self._lanes)
        moving = (self._optimizer_knobs, self._clipping_knobs) if training else ({}, {})
        return Shared(inputs, labels, self._network_knobs, *moving)

    def _weights(self) -> LaneWeights:
        return LaneWeights(self._moving.trained, self._fixed.frozen, self._moving.averages)

    def _flat(self, found: Variables, names: Iterable[str]) -> Weights:
        """Return arrays by "layer/variable" on the host."""
        return flat(self._lanes.get(found), self._variables, self._model.layout, names)


def _nonzero(trained: Tree) -> dict[str, Any]:
    """Return which weights of the kernels are not 0, by layer."""
    return {label: own["kernel"] != 0 for label, own in trained.items() if "kernel" in own}


class JaxBackend:
    """JAX, opened with its settings; see `manyseeds.backend.Backend`."""

    def __init__(self, settings: Settings) -> None:
        self.device = devices.open_device(settings)
        self._kept: cachetools.LRUCache[str, dict[Hashable, Tree]]
        self._kept = cachetools.LRUCache(KEPT_TASKS)

    def describe(self) -> Environment:
        """Say what this backend runs on."""
        return devices.describe(self.device)

    def cohort(self, network: Network, data: Splits, lanes: int) -> JaxCohort:
        """Return a cohort; compiled programs and data are kept for the next of the same shape."""
        return JaxCohort(self, network, data, lanes)

    def compiled(self) -> Compilation:
        """Return all that was compiled in this process so far."""
        return spent()

    def peak_memory(self) -> int:
        """Return the most device memory used so far, in bytes; 0 on a CPU."""
        return devices.peak_memory(self.device)

    def columns(self, data: Splits, split: SplitName, network: Network, lanes: Lanes) -> Tree:
        """Return a split's inputs and labels where the lanes are, put there at most once.

        Only the latest `KEPT_TASKS` tasks stay.
        """
        task = self._kept.setdefault(data.key, {})
        classes = network.loss == "sparse_cross_entropy"
        key = (split, classes, lanes.mesh)
        if key not in task:
            examples: Split = getattr(data, split)
            dtype = self.device.dtype
            inputs = np.asarray(examples.inputs, dtype)
            labels = np.asarray(examples.labels, np.int32 if classes else dtype)
            task[key] = lanes.share((inputs, labels))
        return task[key]
