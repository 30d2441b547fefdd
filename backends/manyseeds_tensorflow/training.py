"""The compiled loop: a step of all lanes over stacked weights, repeated inside one XLA program.

Programs are kept by structure and shapes; everything numeric is a run-time argument, so that
rates, momenta and dropout rates never compile anything again.
"""

from __future__ import annotations

import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Literal

import keras
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
)
from manyseeds.errors import RequestError
from manyseeds.network import Network, Weights
from manyseeds.recipe import Phase
from manyseeds_tensorflow import device as devices
from manyseeds_tensorflow import network as networks
from manyseeds_tensorflow import optimizers

SplitName = Literal["train", "valid", "test"]
Tree = Any

KEPT_TASKS = 3
"""How many tasks' data stay on the device."""
KEPT_PROGRAMS = 8
"""How many structures' programs, with their variables, stay."""
EVALUATION_ROWS = (256, 1024)
"""Rows scored at once, of a small split and of others: two shapes serve splits of any length."""
EVALUATION_ELEMENTS = {"cpu": 1 << 20, "cuda": 1 << 26}
"""Most elements of one layer's activations at once in evaluation; a CPU's cache holds that many."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function as one XLA program per shape of its arguments."""
    return tf.function(function, jit_compile=True, autograph=False)


class Trainer:
    """The optimizer of some layers of a model, and its compiled steps.

    Attributes
    ----------
    optimizer
        With its slots.
    take_steps, take_gradient
        Compiled.
    """

    def __init__(self, model: networks.LaneNetwork, kind: str, frozen: tuple[str, ...]) -> None:
        self._model = model
        self._trained = {
            name: variable
            for name, variable in model.by_name().items()
            if name.split("/")[0] not in frozen
        }
        self._now = optimizers.Now()
        self.optimizer = optimizers.lane_optimizer(kind, self._now)
        self.optimizer.build(list(self._trained.values()))
        self.take_steps = compiled(self._take_steps)
        self.take_gradient = compiled(self._take_gradient)

    def _gradient(
        self, data: Tree, batch: tf.Tensor, keys: Tree, when: networks.When, knobs: Tree
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return a batch's mean loss, [lanes], and its gradient for what is trained."""
        inputs, labels = (tf.gather(column, batch) for column in data)
        _, rows = when
        counts = tf.range(batch.shape[1]) < rows
        variables = [variable.value for variable in self._trained.values()]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            logits = self._model(inputs, knobs, keys, when)
            losses = networks.losses(self._model.network.loss, logits, labels)
            sums = tf.reduce_sum(tf.where(counts, losses, tf.zeros_like(losses)), axis=-1)
            mean = sums / tf.cast(rows, sums.dtype)
        return mean, tape.gradient(mean, variables)

    def _take_gradient(
        self, data: Tree, batch: tf.Tensor, keys: Tree, step: tf.Tensor, knobs: Tree
    ) -> dict[str, tf.Tensor]:
        """Return the gradient of one batch in all lanes, by the name of its variable."""
        when = (step, tf.constant(batch.shape[1]))
        gradient = self._gradient(data, batch, keys, when, knobs["network"])[1]
        return dict(zip(self._trained, gradient, strict=True))

    def _take_steps(self, data: Tree, knobs: Tree, plan: Tree, stop: tf.Tensor) -> tf.Tensor:
        """Take the plan's steps before `stop` in all lanes; return the loss [steps, lanes]."""
        batches, rows, rate, momentum, keys, first = plan
        variables = [variable.value for variable in self._trained.values()]

        def step(index: tf.Tensor, trace: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            when = (first + tf.cast(index, tf.uint32), rows[index])
            loss, gradient = self._gradient(data, batches[index], keys, when, knobs["network"])
            self._now.rate = rate[index][:, None, None]
            self._now.momentum = momentum[index][:, None, None]
            self._now.knobs = knobs["optimizer"]
            self.optimizer.apply(gradient, variables)
            return index + 1, trace.write(index, loss)

        steps, lanes = rate.shape
        trace = tf.TensorArray(rate.dtype, size=steps, element_shape=[lanes])
        return tf.while_loop(lambda index, _: index < stop, step, (0, trace))[1].stack()


class LaneProgram:
    """The stacked networks of one structure, and everything compiled for them.

    Its variables belong to one cohort at a time, see `TensorFlowCohort._hold`.
    """

    def __init__(self, network: Network, features: int, lanes: int, few: int, dtype: str) -> None:
        self.model = networks.LaneNetwork(network, features, lanes, dtype)
        self.lanes = lanes
        self._few = networks.LaneNetwork(network, features, few, dtype)
        self.holder: Callable[[], TensorFlowCohort | None] = lambda: None
        self.score = compiled(self._score)
        self._trainers: dict[Hashable, Trainer] = {}
        self._called: set[Hashable] = set()

    def trainer(self, kind: str, frozen: tuple[str, ...]) -> Trainer:
        """Return the trainer of an optimizer and frozen layers, made at most once."""
        key = (kind, tuple(sorted(frozen)))
        if key not in self._trainers:
            self._trainers[key] = Trainer(self.model, *key)
        return self._trainers[key]

    def compile_seconds(self, name: Hashable, arguments: Tree, call: Callable[[], Any]) -> float:
        """Make the first call for arguments of these shapes, if it is one; return its seconds."""
        leaves = tf.nest.flatten(arguments)
        key = (name, tuple((tuple(leaf.shape), str(leaf.dtype)) for leaf in leaves))
        if key in self._called:
            return 0.0
        start = time.perf_counter()
        call()
        self._called.add(key)
        return time.perf_counter() - start

    def _score(
        self, inputs: tf.Tensor, labels: tf.Tensor, count: tf.Tensor, knobs: Tree, outputs: bool
    ) -> tuple[tf.Tensor, ...]:
        """Score the first `count` rows: sum of losses, number correct, outputs if asked for."""
        few = self._few.lanes
        inputs, labels = (tf.broadcast_to(each, (few, *each.shape)) for each in (inputs, labels))
        kind, dtype = self.model.network.loss, inputs.dtype
        counts = tf.range(inputs.shape[1]) < count

        def part(first: tf.Tensor) -> tuple[tf.Tensor, ...]:
            weights = [
                tf.slice(variable.value, [first, 0, 0], [few, *variable.shape[1:]])
                for variable in self.model.trainable_variables
            ]
            logits, _ = self._few.stateless_call(weights, [], inputs, knobs["network"])
            losses = networks.losses(kind, logits, labels)
            loss = tf.reduce_sum(tf.where(counts, losses, tf.zeros_like(losses)), axis=-1)
            found = networks.probabilities(kind, logits)
            if kind == "mean_squared_error":
                right = tf.zeros([few], tf.int32)
            else:
                correct = networks.correct(kind, found, labels) & counts
                right = tf.reduce_sum(tf.cast(correct, tf.int32), axis=-1)
            return (loss, right, found) if outputs else (loss, right)

        signature = (dtype, tf.int32, dtype) if outputs else (dtype, tf.int32)
        parts = tf.map_fn(part, tf.range(0, self.lanes, few), fn_output_signature=signature)
        return tuple(tf.reshape(each, (self.lanes, *each.shape[2:])) for each in parts)


class TensorFlowCohort:
    """The networks of many seeds in lockstep; see `manyseeds.backend.Cohort`."""

    def __init__(
        self, backend: TensorFlowBackend, network: Network, data: Splits, lanes: int
    ) -> None:
        self._backend = backend
        self._device = backend.device
        self._network = network
        self._data = data
        self._lanes = lanes
        self._program = backend.program(network, data.train.inputs.shape[1], lanes)
        self._kept: list[NDArray[Any]] | None = None

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase with these weights and a fresh optimizer."""
        if phase.network.structure() != self._network.structure():
            raise RequestError(
                f"phase {phase.name!r} has a network of another structure than its cohort's"
            )
        self._kept = None
        self._hold()
        self._phase = phase
        with tf.device(self._device.name):
            self._trainer = self._program.trainer(phase.optimizer.name, phase.frozen)
            for variable in self._trainer.optimizer.variables:
                variable.assign(tf.zeros_like(variable.value))
            for name, variable in self._program.model.by_name().items():
                variable.assign(np.reshape(weights[name], variable.shape))
            self._knobs = self._put(
                {
                    "network": networks.knobs_of(phase.network, self._device.dtype),
                    "optimizer": optimizers.knobs_of(phase.optimizer, self._device.dtype),
                }
            )

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes, without a word to the host in between."""
        self._hold()
        with tf.device(self._device.name):
            data, plan = self._columns("train"), self._put(self._plan(epoch))

            def take(stop: int) -> tf.Tensor:
                return self._trainer.take_steps(data, self._knobs, plan, tf.constant(stop)).numpy()

            # Without a step to take, the first call compiles and changes nothing.
            seconds = self._program.compile_seconds(
                self._trainer, (data, self._knobs, plan), lambda: take(0)
            )
            trace = take(epoch.steps)
        return EpochTrace(trace.T.astype(np.float64), seconds, int(seconds > 0))

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
        self._hold()
        with tf.device(self._device.name):
            rows, keys, step = self._put(
                (np.asarray(batch.rows, np.int32), dict(batch.noise), np.uint32(batch.step))
            )
            data = self._columns("train")
            return self._flat(self._trainer.take_gradient(data, rows, keys, step, self._knobs))

    def weights(self) -> Weights:
        """Return a copy of the weights, in the cohort's precision."""
        self._hold()
        return self._flat(self._program.model.by_name())

    def _plan(self, epoch: EpochPlan) -> Tree:
        """Return a plan as arrays whose first axis is the step.

        The last, smaller batch is padded with rows of its own, which do not count: one compiled
        step serves all.
        """
        dtype = self._device.dtype
        lanes, total = epoch.order.shape
        batch = min(epoch.batch, total)
        starts = np.arange(epoch.steps) * batch
        rows = np.minimum(batch, total - starts)
        order = np.pad(np.asarray(epoch.order, np.int32), ((0, 0), (0, batch - rows[-1])), "edge")
        momentum = epoch.momentum
        if momentum is None:
            knob = self._phase.optimizer.hyperparameters().get("momentum", 0.0)
            momentum = np.full(epoch.rate.shape, knob)
        return (
            order.reshape(lanes, epoch.steps, batch).swapaxes(0, 1),
            rows.astype(np.int32),
            np.asarray(epoch.rate.T, dtype),
            np.asarray(momentum.T, dtype),
            dict(epoch.noise),
            np.uint32(epoch.step),
        )

    def _score(self, split: SplitName, metrics: tuple[Metric, ...], probabilities: bool) -> Scores:
        if "accuracy" in metrics and self._network.loss == "mean_squared_error":
            raise RequestError(
                f"network {self._network.name!r} has a linear output, which has no accuracy; "
                "ask for the metric 'loss'"
            )
        self._hold()
        with tf.device(self._device.name):
            data = self._columns(split)
            rows = len(data[0])
            parts, seconds = self._score_chunks(data, rows, probabilities)
        means: dict[str, Floats] = {}
        for index, name in enumerate(("loss", "accuracy")):
            if name in metrics:
                sums = np.array([part[index].numpy() for part in parts], np.float64)
                means[name] = np.asarray(sums.sum(axis=0) / rows)
        outputs = [part[2].numpy() for part in parts] if probabilities else None
        joined = np.concatenate(outputs, axis=1)[:, :rows] if outputs else None
        return Scores(means, joined, seconds, int(seconds > 0))

    def _score_chunks(self, data: Tree, rows: int, probabilities: bool) -> tuple[list[Tree], float]:
        """Score a split in chunks of one shape, so that all splits share a program."""
        parts, seconds = [], 0.0
        few, many = EVALUATION_ROWS
        size = many if rows > 2 * few else few
        for start in range(0, rows, size):
            chunk = [_padded(column[start : start + size], size) for column in data]
            count = tf.constant(min(size, rows - start))

            def call(chunk: Tree = chunk, count: tf.Tensor = count) -> Tree:
                return self._program.score(*chunk, count, self._knobs, probabilities)

            seconds += self._program.compile_seconds(("score", probabilities), chunk, call)
            parts.append(call())
        return parts, seconds

    def _hold(self) -> None:
        """Take the program's variables over; a cohort that had them keeps a copy of its own."""
        other = self._program.holder()
        if other is self:
            return
        if other is not None:
            other._kept = [variable.numpy() for variable in other._variables()]
        self._program.holder = weakref.ref(self)
        if self._kept is not None:
            for variable, value in zip(self._variables(), self._kept, strict=True):
                variable.assign(value)

    def _variables(self) -> list[keras.Variable]:
        return [*self._program.model.by_name().values(), *self._trainer.optimizer.variables]

    def _columns(self, split: SplitName) -> Tree:
        return self._backend.columns(self._data, split, self._network)

    def _put(self, tree: Tree) -> Tree:
        return tf.nest.map_structure(tf.convert_to_tensor, tree)

    def _flat(self, stacked: Mapping[str, Any]) -> Weights:
        """Return stacked variables on the host in the shapes of the contract."""
        shapes = self._network.shapes(self._data.train.inputs.shape[1])
        return {
            name: value.numpy().reshape(self._lanes, *shapes[name])
            for name, value in stacked.items()
        }


def _lanes_at_once(network: Network, features: int, lanes: int, elements: int) -> int:
    """Return how many lanes to score at once, a divisor of all, within so many elements."""
    widest = max(features, *(layer.units for layer in network.dense()))
    most = max(1, elements // (max(EVALUATION_ROWS) * widest))
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
        self._data: OrderedDict[str, dict[Hashable, Tree]] = OrderedDict()
        self._programs: OrderedDict[Hashable, LaneProgram] = OrderedDict()

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
        """Return the program of a structure; the latest `KEPT_PROGRAMS` stay."""
        key = (network.structure(), features, lanes)
        if key not in self._programs:
            with tf.device(self.device.name):
                few = _lanes_at_once(
                    network, features, lanes, EVALUATION_ELEMENTS[self.device.kind]
                )
                dtype = str(self.device.dtype)
                self._programs[key] = LaneProgram(network, features, lanes, few, dtype)
        self._programs.move_to_end(key)
        while len(self._programs) > KEPT_PROGRAMS:
            self._programs.popitem(last=False)
        return self._programs[key]

    def columns(self, data: Splits, split: SplitName, network: Network) -> Tree:
        """Return a split's inputs and labels on the device, put there at most once.

        Only the latest `KEPT_TASKS` tasks stay.
        """
        task = self._data.setdefault(data.key, {})
        self._data.move_to_end(data.key)
        while len(self._data) > KEPT_TASKS:
            self._data.popitem(last=False)
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
