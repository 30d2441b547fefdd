"""A cohort in JAX: its lanes, spread over the CPU's threads or side by side; and the backend.

Programs are compiled ahead of time and kept by structure and shapes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import cachetools
import jax
import numpy as np

from manyseeds.backend import (
    Batch,
    Environment,
    EpochPlan,
    EpochTrace,
    Metric,
    Scores,
    Settings,
    Split,
    Splits,
    check_metrics,
    check_structure,
)
from manyseeds.knobs import network_knobs, optimizer_knobs
from manyseeds.network import Network, Weights
from manyseeds.recipe import Phase
from manyseeds_jax import device as devices
from manyseeds_jax import optimizers
from manyseeds_jax.device import Lanes
from manyseeds_jax.training import LaneModel, Plan, Shared

SplitName = Literal["train", "valid", "test"]
Tree = Any

KEPT_TASKS = 3
"""How many tasks' data stay on the device."""
EVALUATION_ELEMENTS = {"cpu": 1 << 22, "cuda": 1 << 26}
"""Most elements of one layer's activations at a time in evaluation: on a GPU, on a CPU's thread."""


class Call(NamedTuple):
    """What a program returned, and what compiling it took this time."""

    result: Tree
    seconds: float
    compilations: int


_PROGRAMS: dict[Hashable, Callable[..., Any]] = {}


def _call(
    name: Hashable, lanes: Lanes, function: Callable[..., Tree], arguments: tuple[Tree, ...]
) -> Call:
    """Call one lane's function for all lanes, compiled once for everything in its name."""
    leaves, tree = jax.tree.flatten(arguments)
    key = (name, lanes.mesh, tree, tuple((leaf.shape, str(leaf.dtype)) for leaf in leaves))
    start, compilations = time.perf_counter(), 0
    if key not in _PROGRAMS:
        _PROGRAMS[key] = lanes.compile(function, arguments)
        compilations = 1
    seconds = (time.perf_counter() - start) * compilations
    return Call(_PROGRAMS[key](*arguments), seconds, compilations)


class JaxCohort:
    """The networks of many seeds; see `manyseeds.backend.Cohort`."""

    def __init__(self, backend: JaxBackend, network: Network, data: Splits, lanes: int) -> None:
        self._backend = backend
        self._dtype = backend.device.dtype
        self._network = network
        self._data = data
        self._lanes = Lanes(backend.device, lanes)
        widest = max(layer.units for layer in network.dense())
        elements = EVALUATION_ELEMENTS[backend.device.kind]
        self._chunk = max(1, elements // (self._lanes.at_once * widest))

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase with these weights and a fresh optimizer."""
        check_structure(self._network, phase)
        self._phase = phase
        self._model = LaneModel(phase.network, phase.optimizer.name, self._dtype)
        parameters = self._nested(weights)
        frozen = {label: parameters.pop(label) for label in phase.frozen}
        fresh = jax.vmap(partial(optimizers.initial_state, phase.optimizer.name))
        shapes = jax.eval_shape(fresh, parameters)
        state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
        self._moving = self._lanes.put((parameters, state))
        self._frozen = self._lanes.put(frozen)
        self._network_knobs = self._lanes.share(network_knobs(phase.network, self._dtype))
        self._optimizer_knobs = self._lanes.share(optimizer_knobs(phase.optimizer, self._dtype))

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes, without a word to the host in between."""
        shared = self._shared("train", self._optimizer_knobs)
        arguments = (self._moving, (self._frozen, self._plan(epoch)), shared)
        name = ("train", self._model.name(), self._model.optimizer, epoch.batch)
        call = _call(name, self._lanes, partial(self._model.train, epoch.batch), arguments)
        self._moving, loss = call.result
        trace = self._lanes.get(loss).astype(np.float64)
        return EpochTrace(trace, call.seconds, call.compilations)

    def evaluate(
        self,
        split: Literal["train", "valid"],
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
    ) -> Scores:
        """Score the lanes on a split, nothing dropped."""
        return self._score(split, metrics, probabilities)

    def score(self, metrics: tuple[Metric, ...], *, probabilities: bool = False) -> Scores:
        """Score the lanes on the test split."""
        return self._score("test", metrics, probabilities)

    def gradient(self, batch: Batch) -> Weights:
        """Return the gradient of the training loss on a batch; frozen layers have none."""
        model = self._model
        step = np.full(len(batch.rows), batch.step, np.uint32)
        given = self._lanes.put((np.asarray(batch.rows, np.int32), (dict(batch.noise), step)))
        weights = (self._moving[0], self._frozen)

        def gradient(_: Tree, fixed: Tree, shared: Shared) -> Tree:
            weights, (rows, noise) = fixed
            return model.gradient(weights, rows, noise, shared)[1]

        arguments = ((), (weights, given), self._shared("train"))
        return self._flat(
            _call(("gradient", model.name()), self._lanes, gradient, arguments).result
        )

    def weights(self) -> Weights:
        """Return a copy of the weights, in the cohort's precision."""
        return self._flat(self._parameters())

    def _score(self, split: SplitName, metrics: tuple[Metric, ...], outputs: bool) -> Scores:
        check_metrics(self._network, metrics, outputs)
        model, chunk = self._model, self._chunk

        def evaluate(_: Tree, parameters: Tree, shared: Shared) -> Tree:
            return model.evaluate(chunk, outputs, parameters, shared)

        name = ("evaluate", model.name(), chunk, outputs)
        call = _call(name, self._lanes, evaluate, ((), self._parameters(), self._shared(split)))
        loss, right, parts = self._lanes.get(call.result)
        sums: dict[Metric, Any] = {"loss": loss, "accuracy": right}
        rows = len(getattr(self._data, split))
        means = {str(key): sums[key].sum(axis=1, dtype=np.float64) / rows for key in metrics}
        joined = np.concatenate(parts, axis=1) if outputs else None
        return Scores(means, joined, call.seconds, call.compilations)

    def _plan(self, epoch: EpochPlan) -> Plan:
        lanes = len(epoch.rate)
        momentum = np.zeros_like(epoch.rate) if epoch.momentum is None else epoch.momentum
        order = np.asarray(epoch.order, np.int32)
        series = (epoch.rate.astype(self._dtype), momentum.astype(self._dtype))
        noise = (dict(epoch.noise), np.full(lanes, epoch.step, np.uint32))
        return Plan(*self._lanes.put((order, *series, *noise)))

    def _shared(self, split: SplitName, optimizer: optimizers.Knobs | None = None) -> Shared:
        inputs, labels = self._backend.columns(self._data, split, self._network, self._lanes)
        return Shared(inputs, labels, self._network_knobs, optimizer or {})

    def _parameters(self) -> Tree:
        return {**self._frozen, **self._moving[0]}

    def _nested(self, weights: Weights) -> dict[str, dict[str, np.ndarray[Any, Any]]]:
        """Return weights by layer, then by variable, in the cohort's precision."""
        nested: dict[str, dict[str, np.ndarray[Any, Any]]] = {}
        for name, value in weights.items():
            label, variable = name.split("/")
            nested.setdefault(label, {})[variable] = np.asarray(value, self._dtype)
        return nested

    def _flat(self, nested: Mapping[str, Mapping[str, jax.Array]]) -> Weights:
        """Return nested weights by "layer/variable" in the order of the layers, on the host."""
        return {
            f"{layer.label}/{variable}": self._lanes.get(nested[layer.label][variable])
            for layer in self._network.dense()
            if layer.label in nested
            for variable in (("kernel", "bias") if layer.bias else ("kernel",))
        }


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
