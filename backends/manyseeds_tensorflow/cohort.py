"""A cohort in TensorFlow: its lanes, dealt out to the CPU's threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from manyseeds.backend.hyperparameters import (
    clipping_hyperparameters,
    network_hyperparameters,
    optimizer_hyperparameters,
)
from manyseeds.backend.lane_shares import lane_shares
from manyseeds.backend.repeated_layers import layer_runs
from manyseeds.backend.row_blocks import RowBlock, SamplePlace
from manyseeds.backend.values import (
    SAMPLING_ROWS,
    Activity,
    Batch,
    EpochPlan,
    EpochTrace,
    Floats,
    Metric,
    Sampling,
    Scores,
    Splits,
    check_metrics,
    check_structure,
)
from manyseeds.suite.recipe import Phase
from manyseeds.techniques.augmentation import Changes
from manyseeds.techniques.network import Network, Weights
from manyseeds_tensorflow.network import dropping_layers
from manyseeds_tensorflow.part import Part, laid_out, seen_by
from manyseeds_tensorflow.stacks import Stacks
from manyseeds_tensorflow.training import Clock, Kinds, Moving, Plan, Seen, Tensors

if TYPE_CHECKING:
    from manyseeds_tensorflow.backend import TensorFlowBackend

SplitName = Literal["train", "valid", "test"]
Tree = Any

EVALUATION_ROWS = {"cpu": 256, "cuda": 1024}
"""Rows scored by one call: one shape serves splits of any length."""


class TensorFlowCohort:
    """The networks of many seeds; see `manyseeds.backend.protocols.Cohort`."""

    def __init__(
        self, backend: TensorFlowBackend, network: Network, data: Splits, lanes: int
    ) -> None:
        self._backend = backend
        self._device = backend.device
        self._network = network
        self._data = data
        self._lanes = lanes
        self._features = data.train.inputs.shape[1]
        self._parts = [Part(part) for part in lane_shares(lanes, backend.threads)]

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase with these weights and a fresh optimizer."""
        check_structure(self._network, phase)
        dtype, features, frozen = self._device.dtype, self._features, phase.frozen
        lanes = len(self._parts[0].lanes)
        self._program = self._backend.program(phase.network, features, lanes, frozen)
        self._stacks = Stacks.of(layer_runs(phase.network, features, frozen))
        hyperparameters = {
            "network": self._stacks.stacked(network_hyperparameters(phase.network, dtype), axis=0),
            "optimizer": optimizer_hyperparameters(phase.optimizer, dtype),
            "clipping": clipping_hyperparameters(phase.clipping, dtype),
        }
        clipping = phase.clipping.name if phase.clipping else None
        self._kinds = Kinds(phase.optimizer.name, clipping)
        self._taken = 0
        arrays = {name: laid_out(np.asarray(value, dtype)) for name, value in weights.items()}
        stacked = self._stacks.stacked(arrays)
        with tf.device(self._device.name):
            self._hyperparameters = tf.nest.map_structure(tf.constant, hyperparameters)
            for part in self._parts:
                part.begin(phase, stacked, self._hyperparameters["optimizer"])

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes, without a word to the host in between."""
        plan, rows = self._plan(epoch)
        with tf.device(self._device.name):
            data, rows = self._columns(), tf.constant(rows)
            noise, taken = tf.constant(epoch.step, tf.uint32), tf.constant(self._taken)

            def take(part: Part, put: Plan, steps: int) -> tuple[Moving, Tensors]:
                clock = Clock(rows, noise, taken, tf.constant(steps))
                shared = (data, self._hyperparameters, clock)
                moved: tuple[Moving, Tensors] = self._program.train(
                    self._kinds, part.moving, part.still, put, shared
                )
                return moved

            puts = [part.put(plan) for part in self._parts]
            first = self._parts[0]
            # Without a step to take, the first call compiles and changes nothing.
            seconds = self._program.compile_seconds(
                ("train", self._kinds, *sorted(first.still.frozen)),
                (first.moving, first.still, puts[0], data),
                lambda: take(first, puts[0], 0),
            )

        def train(part: Part, put: Plan) -> dict[str, Floats]:
            part.moving, trace = take(part, put, epoch.step_count)
            return {name: values.numpy().astype(np.float64) for name, values in trace.items()}

        traces = self._each(train, puts)
        self._taken += epoch.step_count
        trace = {name: self._joined([each[name] for each in traces]) for name in traces[0]}
        return EpochTrace(trace["loss"], trace.get("penalty"), seconds, int(seconds > 0))

    def evaluate(
        self,
        split: Literal["train", "valid"],
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
    ) -> Scores:
        """Score the lanes on a split, nothing dropped."""
        return self._score(split, metrics, probabilities)

    def score(
        self,
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
        sampling: Sampling | None = None,
    ) -> Scores:
        """Score the lanes on the test split."""
        return self._score("test", metrics, probabilities, sampling)

    def gradient(self, batch: Batch) -> Weights:
        """Return the gradient of the training loss on a batch; what is not trained has none."""
        seen = self._seen(batch.rows, batch.noise, batch.changes)

        def gradient(part: Part, _: None) -> Tensors:
            shared = (self._columns(), self._hyperparameters, tf.constant(batch.step, tf.uint32))
            arguments = (part.moving.bare(), part.still, part.put(seen))
            found: Tensors = self._program.counted(
                "gradient", arguments, lambda: self._program.gradient(*arguments, shared)
            )
            return found

        return self._flat(self._each(gradient))

    def activity(self, batch: Batch, *, training: bool) -> Mapping[str, Activity]:
        """Return what leaves each layer on rows of the training split, by label, in order."""
        noise, changes = (batch.noise, batch.changes) if training else ({}, None)
        seen = self._seen(batch.rows, noise, changes)

        def moments(part: Part, _: None) -> dict[str, Floats]:
            step = tf.constant(batch.step, tf.uint32)
            shared = (self._columns(), self._hyperparameters["network"], step)
            moving, still = part.moving.bare(), part.still
            arguments = (moving, still, part.put(seen))
            found = self._program.counted(
                ("activity", training),
                arguments,
                lambda: self._program.activity(training, *arguments, shared),
            )
            return {label: each.numpy() for label, each in found.items()}

        parts = self._each(moments)
        joined = {label: self._joined([part[label] for part in parts]) for label in parts[0]}
        found = self._stacks.apart(joined)
        labels = [layer.label for layer in self._network.layers]
        return {label: Activity(*found[label].T) for label in labels}

    def weights(self) -> Weights:
        """Return a copy of the weights, in the cohort's precision."""
        return self._flat([part.weights() for part in self._parts])

    def _seen(
        self,
        rows: NDArray[np.int32],
        noise: Mapping[str, NDArray[np.uint32]],
        changes: Changes | None,
        arranged: Callable[[NDArray[Any]], NDArray[Any]] = lambda array: array,
    ) -> Seen:
        """Return what steps see as arrays [lanes, ...]; rows and changes are arranged by step."""
        return seen_by(rows, self._stacks.stacked(noise), changes, self._device.dtype, arranged)

    def _plan(self, epoch: EpochPlan) -> tuple[Plan, NDArray[np.int32]]:
        """Return a plan as arrays whose first axis is the lane, and the rows of each batch.

        The last, smaller batch is padded with rows of its own, which do not count: one compiled
        step serves all, a plan of this batch alone, too.
        """
        lanes, total = epoch.order.shape
        batch = min(epoch.batch, len(self._data.train))
        rows = np.minimum(batch, total - np.arange(epoch.step_count) * batch)

        def by_step(array: NDArray[Any]) -> NDArray[Any]:
            missing = [(0, 0), (0, batch - rows[-1])] + [(0, 0)] * (array.ndim - 2)
            full = np.pad(array, missing, "edge")
            return full.reshape(lanes, epoch.step_count, batch, *array.shape[2:])

        seen, dtype = (
            self._seen(epoch.order, epoch.noise, epoch.changes, by_step),
            self._device.dtype,
        )
        momentum = np.zeros_like(epoch.rate) if epoch.momentum is None else epoch.momentum
        plan = Plan(seen, epoch.rate.astype(dtype), momentum.astype(dtype))
        return plan, rows.astype(np.int32)

    def _score(
        self,
        split: SplitName,
        metrics: tuple[Metric, ...],
        probabilities: bool,
        sampling: Sampling | None = None,
    ) -> Scores:
        check_metrics(self._network, metrics, probabilities)
        rows = len(getattr(self._data, split))
        at_once = min(SAMPLING_ROWS, rows) if sampling else EVALUATION_ROWS[self._device.kind]
        with tf.device(self._device.name):
            blocks = self._backend.row_blocks(self._data, split, self._network, at_once)
            call = self._sample(sampling, len(blocks)) if sampling else self._predict
            first = self._parts[0]
            seconds = self._program.compile_seconds(
                "sample" if sampling else "score",
                (first.weights(), blocks[0]),
                lambda: call(first, 0, blocks[0]),
            )

        def score(part: Part, _: None) -> list[tuple[NDArray[Any], ...]]:
            scored = (call(part, *each) for each in enumerate(blocks))
            return [tuple(each.numpy() for each in found[:wanted]) for found in scored]

        wanted = 3 if probabilities else 2
        # By piece, then by what is scored: all lanes.
        parts = [
            [self._joined(each) for each in zip(*piece, strict=True)]
            for piece in zip(*self._each(score), strict=True)
        ]
        means: dict[str, Floats] = {}
        for index, name in enumerate(("loss", "accuracy")):
            if name in metrics:
                sums = np.array([part[index] for part in parts], np.float64)
                means[name] = np.asarray(sums.sum(axis=0) / rows)
        joined = np.concatenate([p[2] for p in parts], axis=1)[:, :rows] if probabilities else None
        return Scores(means, joined, seconds, int(seconds > 0))

    def _predict(self, part: Part, index: int, piece: RowBlock) -> tuple[tf.Tensor, ...]:
        """Score a piece of a split as the network predicts."""
        del index
        scores: tuple[tf.Tensor, ...] = self._program.score(
            part.weights(), (piece, self._hyperparameters["network"])
        )
        return scores

    def _sample(self, sampling: Sampling, blocks: int) -> Callable[..., tuple[tf.Tensor, ...]]:
        """Return how a piece of a split, which is a block of it, is scored with dropout on."""
        dropping = dropping_layers(self._network)
        noise = {label: key for label, key in sampling.noise.items() if label in dropping}
        keys = self._stacks.stacked(noise)

        def call(part: Part, index: int, piece: RowBlock) -> tuple[tf.Tensor, ...]:
            how = SamplePlace(*map(tf.constant, (sampling.samples, index, blocks)))
            scores: tuple[tf.Tensor, ...] = self._program.sample(
                part.weights(), part.put(keys), (piece, how, self._hyperparameters["network"])
            )
            return scores

        return call

    def _each(
        self, work: Callable[[Part, Any], Any], given: Sequence[Any] | None = None
    ) -> list[Any]:
        """Do something with every part, each in a thread of its own."""

        def placed(part: Part, own: Any) -> Any:
            with tf.device(self._device.name):
                return work(part, own)

        own = [None] * len(self._parts) if given is None else given
        return list(self._backend.pool.map(placed, self._parts, own))

    def _columns(self) -> Tree:
        return self._backend.columns(self._data, self._network)

    def _joined(self, parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Return what the parts have, by lane."""
        return np.concatenate(parts)[: self._lanes]

    def _flat(self, parts: Sequence[Mapping[str, tf.Tensor]]) -> Weights:
        """Return the parts' variables on the host in the shapes of the contract."""
        joined = {name: self._joined([part[name].numpy() for part in parts]) for name in parts[0]}
        found = self._stacks.apart(joined)
        return {
            name: found[name].reshape(self._lanes, *shape)
            for name, shape in self._network.shapes(self._features).items()
            if name in found
        }
