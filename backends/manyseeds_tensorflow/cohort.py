"""A cohort in TensorFlow: its lanes, dealt out to the CPU's threads; and the backend."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import cachetools
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from manyseeds.backend import (
    Batch,
    Environment,
    EpochPlan,
    EpochTrace,
    Floats,
    Metric,
    Scores,
    Settings,
    Split,
    Splits,
    check_metrics,
    check_structure,
)
from manyseeds.dealing import dealt
from manyseeds.knobs import network_knobs, optimizer_knobs
from manyseeds.network import Network, Weights
from manyseeds.recipe import Phase
from manyseeds_tensorflow import device as devices
from manyseeds_tensorflow import optimizers
from manyseeds_tensorflow.training import Clock, LaneProgram, Moving, Plan

SplitName = Literal["train", "valid", "test"]
Tree = Any

KEPT_TASKS = 3
"""How many tasks' data stay on the device."""
KEPT_PROGRAMS = 32
"""How many structures' programs stay."""
EVALUATION_ROWS = (256, 1024)
"""Rows scored at once, of a small split and of others: two shapes serve splits of any length."""
EVALUATION_ELEMENTS = 1 << 26
"""Most elements of one layer's activations at once in evaluation on a GPU."""


class Part:
    """Some of a cohort's lanes: those of one thread, or all of them on a GPU."""

    def __init__(self, lanes: NDArray[np.int64]) -> None:
        self.lanes = lanes
        self.moving = Moving({}, {})
        self.frozen: dict[str, tf.Tensor] = {}

    def weights(self) -> dict[str, tf.Tensor]:
        """Return all weights by name."""
        return {**self.frozen, **self.moving.weights}

    def put(self, tree: Tree) -> Tree:
        """Return this part of arrays [lanes, ...] as tensors."""
        return tf.nest.map_structure(lambda array: tf.constant(np.asarray(array)[self.lanes]), tree)


class TensorFlowCohort:
    """The networks of many seeds; see `manyseeds.backend.Cohort`."""

    def __init__(
        self, backend: TensorFlowBackend, network: Network, data: Splits, lanes: int
    ) -> None:
        self._backend = backend
        self._device = backend.device
        self._network = network
        self._data = data
        self._lanes = lanes
        self._features = data.train.inputs.shape[1]
        self._parts = [Part(part) for part in dealt(lanes, backend.threads)]
        self._program = backend.program(network, self._features, len(self._parts[0].lanes))

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase with these weights and a fresh optimizer."""
        check_structure(self._network, phase)
        self._phase, self._taken = phase, 0
        slots = optimizers.RULES[phase.optimizer.name].slots
        dtype = self._device.dtype
        knobs = {
            "network": network_knobs(phase.network, dtype),
            "optimizer": optimizer_knobs(phase.optimizer, dtype),
        }
        stacked = {name: _stacked(name, value, dtype) for name, value in weights.items()}
        with tf.device(self._device.name):
            self._knobs = tf.nest.map_structure(tf.constant, knobs)
            for part in self._parts:
                put = part.put(stacked)
                part.frozen = {n: v for n, v in put.items() if n.split("/")[0] in phase.frozen}
                moving = {n: v for n, v in put.items() if n not in part.frozen}
                zeros = {n: (tf.zeros_like(v),) * slots for n, v in moving.items()}
                part.moving = Moving(moving, zeros)

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes, without a word to the host in between."""
        plan, rows = self._plan(epoch)
        kind = self._phase.optimizer.name
        with tf.device(self._device.name):
            data, rows = self._columns("train"), tf.constant(rows)
            noise, taken = tf.constant(epoch.step, tf.uint32), tf.constant(self._taken)

            def take(part: Part, put: Plan, steps: int) -> tuple[Moving, Floats]:
                clock = Clock(rows, noise, taken, tf.constant(steps))
                shared = (data, self._knobs, clock)
                moved, loss = self._program.train(kind, part.moving, part.frozen, put, shared)
                return moved, loss.numpy()

            puts = [part.put(plan) for part in self._parts]
            first = self._parts[0]
            # Without a step to take, the first call compiles and changes nothing.
            seconds = self._program.compile_seconds(
                ("train", kind, *sorted(first.frozen)),
                (first.moving, first.frozen, puts[0], data),
                lambda: take(first, puts[0], 0),
            )

        def train(part: Part, put: Plan) -> Floats:
            part.moving, loss = take(part, put, epoch.steps)
            return loss

        losses = self._each(train, puts)
        self._taken += epoch.steps
        trace = np.concatenate(losses)[: self._lanes].astype(np.float64)
        return EpochTrace(trace, seconds, int(seconds > 0))

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
        given = (np.asarray(batch.rows, np.int32), dict(batch.noise))
        with tf.device(self._device.name):
            step = tf.constant(batch.step, tf.uint32)
            shared = (self._columns("train"), self._knobs, step)
            parts = [
                self._program.gradient(part.moving.weights, part.frozen, *part.put(given), shared)
                for part in self._parts
            ]
        return self._flat(parts)

    def weights(self) -> Weights:
        """Return a copy of the weights, in the cohort's precision."""
        return self._flat([part.weights() for part in self._parts])

    def _plan(self, epoch: EpochPlan) -> tuple[Plan, NDArray[np.int32]]:
        """Return a plan as arrays whose first axis is the lane, and the rows of each batch.

        The last, smaller batch is padded with rows of its own, which do not count: one compiled
        step serves all.
        """
        dtype = self._device.dtype
        lanes, total = epoch.order.shape
        batch = min(epoch.batch, total)
        starts = np.arange(epoch.steps) * batch
        rows = np.minimum(batch, total - starts)
        order = np.pad(np.asarray(epoch.order, np.int32), ((0, 0), (0, batch - rows[-1])), "edge")
        momentum = np.zeros_like(epoch.rate) if epoch.momentum is None else epoch.momentum
        plan = Plan(
            order.reshape(lanes, epoch.steps, batch),
            epoch.rate.astype(dtype),
            momentum.astype(dtype),
            dict(epoch.noise),
        )
        return plan, rows.astype(np.int32)

    def _score(self, split: SplitName, metrics: tuple[Metric, ...], probabilities: bool) -> Scores:
        check_metrics(self._network, metrics, probabilities)
        with tf.device(self._device.name):
            data = self._columns(split)
            rows = len(data[0])
            chunks = list(_chunks(data))

        def call(part: Part, chunk: Tree) -> tuple[tf.Tensor, ...]:
            scores: tuple[tf.Tensor, ...] = self._program.score(
                probabilities, part.weights(), (*chunk, self._knobs)
            )
            return scores

        def score(part: Part, _: None) -> list[tuple[NDArray[Any], ...]]:
            return [tuple(each.numpy() for each in call(part, chunk)) for chunk in chunks]

        first = self._parts[0]
        with tf.device(self._device.name):
            seconds = self._program.compile_seconds(
                ("score", probabilities),
                (first.weights(), chunks[0]),
                lambda: call(first, chunks[0]),
            )
        scored = self._each(score, [None] * len(self._parts))
        # By chunk, then by what is scored: all lanes.
        parts = [
            [np.concatenate(each)[: self._lanes] for each in zip(*chunk, strict=True)]
            for chunk in zip(*scored, strict=True)
        ]
        means: dict[str, Floats] = {}
        for index, name in enumerate(("loss", "accuracy")):
            if name in metrics:
                sums = np.array([part[index] for part in parts], np.float64)
                means[name] = np.asarray(sums.sum(axis=0) / rows)
        joined = np.concatenate([p[2] for p in parts], axis=1)[:, :rows] if probabilities else None
        return Scores(means, joined, seconds, int(seconds > 0))

    def _each(self, work: Callable[[Part, Any], Any], given: Sequence[Any]) -> list[Any]:
        """Do something with every part, each in a thread of its own."""

        def placed(part: Part, own: Any) -> Any:
            with tf.device(self._device.name):
                return work(part, own)

        return list(self._backend.pool.map(placed, self._parts, given))

    def _columns(self, split: SplitName) -> Tree:
        return self._backend.columns(self._data, split, self._network)

    def _flat(self, parts: Sequence[Mapping[str, tf.Tensor]]) -> Weights:
        """Return stacked variables on the host in the shapes of the contract."""
        return {
            name: np.concatenate([part[name].numpy() for part in parts])[: self._lanes].reshape(
                self._lanes, *shape
            )
            for name, shape in self._network.shapes(self._features).items()
            if name in parts[0]
        }


def _stacked(name: str, value: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a variable as the layers keep it: biases [lanes, units] with an axis for the rows."""
    value = np.asarray(value, dtype)
    return value[:, None] if name.endswith("/bias") else value


def _chunks(data: Tree) -> Iterator[Tree]:
    """Yield a split in chunks of one shape, so that all splits share a program; and their rows."""
    few, many = EVALUATION_ROWS
    rows = len(data[0])
    size = many if rows > 2 * few else few
    for start in range(0, rows, size):
        chunk = [_padded(column[start : start + size], size) for column in data]
        yield (*chunk, tf.constant(min(size, rows - start)))


def _lanes_scored(network: Network, features: int, lanes: int) -> int:
    """Return how many lanes a GPU scores side by side: a divisor of all."""
    widest = max(features, *(layer.units for layer in network.dense()))
    most = max(1, EVALUATION_ELEMENTS // (max(EVALUATION_ROWS) * widest))
    return max(few for few in range(1, min(most, lanes) + 1) if lanes % few == 0)


def _padded(column: tf.Tensor, rows: int) -> tf.Tensor:
    """Return a column with rows of zeros up to a length."""
    missing = rows - column.shape[0]
    return (
        tf.pad(column, [[0, missing], *([0, 0] for _ in column.shape[1:])]) if missing else column
    )


class TensorFlowBackend:
    """TensorFlow, opened with its settings; see `manyseeds.backend.Backend`."""

    def __init__(self, settings: Settings) -> None:
        self.device = devices.open_device(settings)
        self._kept: cachetools.LRUCache[str, dict[Hashable, Tree]]
        self._kept = cachetools.LRUCache(KEPT_TASKS)
        self._programs: cachetools.LRUCache[Hashable, LaneProgram]
        self._programs = cachetools.LRUCache(KEPT_PROGRAMS)
        self.threads = devices.threads(settings) if self.device.kind == "cpu" else 1
        self.pool = ThreadPoolExecutor(self.threads, "manyseeds-lanes")

    def describe(self) -> Environment:
        """Say what this backend runs on."""
        return devices.describe(self.device)

    def cohort(self, network: Network, data: Splits, lanes: int) -> TensorFlowCohort:
        """Return a cohort; compiled programs and data are kept for the next of the same shape."""
        return TensorFlowCohort(self, network, data, lanes)

    def peak_memory(self) -> int:
        """Return the most device memory used so far, in bytes; 0 on a CPU."""
        return devices.peak_memory(self.device)

    def program(self, network: Network, features: int, lanes: int) -> LaneProgram:
        """Return the program of a structure; the latest `KEPT_PROGRAMS` stay.

        A thread of the CPU takes its lanes one after the other, through a whole epoch each: their
        weights stay in its cache. On a GPU all lanes go side by side.
        """
        group = scored = 1
        if self.device.kind == "cuda":
            group, scored = lanes, _lanes_scored(network, features, lanes)
        key = (network.structure(), features, group, scored)
        if key not in self._programs:
            with tf.device(self.device.name):
                self._programs[key] = LaneProgram(
                    network, features, str(self.device.dtype), group=group, scored=scored
                )
        return self._programs[key]

    def columns(self, data: Splits, split: SplitName, network: Network) -> Tree:
        """Return a split's inputs and labels on the device, put there at most once.

        Only the latest `KEPT_TASKS` tasks stay.
        """
        task = self._kept.setdefault(data.key, {})
        classes = network.loss == "sparse_cross_entropy"
        if (split, classes) not in task:
            columns: Split = getattr(data, split)
            with tf.device(self.device.name):
                task[split, classes] = (
                    tf.constant(np.asarray(columns.inputs, self.device.dtype)),
                    tf.constant(
                        np.asarray(columns.labels, np.int32 if classes else self.device.dtype)
                    ),
                )
        return task[split, classes]
