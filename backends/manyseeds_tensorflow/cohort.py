"""A cohort in TensorFlow: the lanes of one network, trained and scored in groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from manyseeds.backend.hyperparameters import (
    clipping_hyperparameters,
    network_hyperparameters,
    optimizer_hyperparameters,
)
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
from manyseeds.techniques.network import Network, Weights
from manyseeds_tensorflow.backend_data import Columns, DeviceData, SplitName
from manyseeds_tensorflow.backend_programs import LaneProgram, Programs
from manyseeds_tensorflow.device import OpenDevice
from manyseeds_tensorflow.lanes import LaneGroup, LaneGroups, LaneWorkers
from manyseeds_tensorflow.network import dropping_layers
from manyseeds_tensorflow.network_stacks import Stacks
from manyseeds_tensorflow.scoring import EVALUATION_ROWS
from manyseeds_tensorflow.training_plans import (
    DevicePlan,
    batch_arrays,
    plan_arrays,
)
from manyseeds_tensorflow.training_state import StepCounts, StepTechniques, Tensors

Tree = Any
BlockArguments = Callable[[LaneGroup, int, RowBlock], tuple[Tree, ...]]
"""The arguments of a scoring function, for a group of lanes and a numbered block of rows."""


@dataclass(frozen=True)
class CohortResources:
    """Everything the cohorts of a backend share."""

    device: OpenDevice
    workers: LaneWorkers
    programs: Programs
    data: DeviceData


@dataclass(frozen=True)
class OpenPhase:
    """The phase a cohort is in.

    Attributes
    ----------
    program
        The program compiled for the phase's network.
    stacks
        The network's repeated layers.
    techniques
        The optimizer and the clipping of the phase's steps.
    hyperparameters
        As for `training.Trainer`.
    """

    program: LaneProgram
    stacks: Stacks
    techniques: StepTechniques
    hyperparameters: Mapping[str, Any]


class TensorFlowCohort:
    """The networks of many seeds; see `manyseeds.backend.protocols.Cohort`."""

    _phase: OpenPhase

    def __init__(
        self, resources: CohortResources, network: Network, data: Splits, lanes: int
    ) -> None:
        self._resources = resources
        self._device = resources.device
        self._network = network
        self._data = data
        self._features = data.train.inputs.shape[1]
        self._lanes = LaneGroups(lanes, resources.workers)
        self._steps_taken = 0

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase with these weights, the phase's frozen layers and a fresh optimizer."""
        check_structure(self._network, phase)
        self._phase = self._open(phase)
        self._steps_taken = 0
        dtype = self._device.dtype
        arrays = {name: _layout(np.asarray(value, dtype)) for name, value in weights.items()}
        stacked = self._phase.stacks.stack(arrays)
        with tf.device(self._device.name):
            for group in self._lanes.groups:
                group.begin(phase, stacked, self._phase.hyperparameters["optimizer"])

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes, without returning to the host in between."""
        keys = self._phase.stacks.stack(epoch.noise)
        training_rows = len(self._data.train)
        plan, batch_rows = plan_arrays(epoch, keys, training_rows, self._device.dtype)
        program, techniques = self._phase.program, self._phase.techniques
        with tf.device(self._device.name):
            data, rows = self._columns(), tf.constant(batch_rows)
            noise, taken = tf.constant(epoch.step, tf.uint32), tf.constant(self._steps_taken)

            def arguments(group: LaneGroup, plan: DevicePlan, steps: int) -> tuple[Tree, ...]:
                counts = StepCounts(rows, noise, taken, tf.constant(steps))
                return group.moving, group.fixed, plan, (data, self._phase.hyperparameters, counts)

            plans = [group.tensors(plan) for group in self._lanes.groups]
            # This call takes no step: it compiles the program and changes nothing.
            without_steps = arguments(self._lanes.first, plans[0], 0)
            seconds = program.compile_seconds("train", without_steps, techniques)

        def train(group: LaneGroup, plan: DevicePlan) -> dict[str, Floats]:
            steps = arguments(group, plan, epoch.step_count)
            group.moving, trace = program.call("train", steps, techniques)
            return {name: values.numpy().astype(np.float64) for name, values in trace.items()}

        trace = self._lanes.join_named(self._lanes.map(train, plans))
        self._steps_taken += epoch.step_count
        return EpochTrace(trace["loss"], trace.get("penalty"), seconds, int(seconds > 0))

    def evaluate(
        self,
        split: Literal["train", "valid"],
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
    ) -> Scores:
        """Score the lanes on a split without dropout, in blocks of bounded memory."""
        return self._score(split, metrics, probabilities)

    def score(
        self,
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
        sampling: Sampling | None = None,
    ) -> Scores:
        """Score the lanes on the test split; with `sampling`, score their mean predictions."""
        return self._score("test", metrics, probabilities, sampling)

    def gradient(self, batch: Batch) -> Weights:
        """Return the gradient of the training loss on a batch, by trained variable."""
        hyperparameters = self._phase.hyperparameters
        arguments = self._batch_arguments(batch, hyperparameters)

        def gradient(group: LaneGroup) -> Tensors:
            return self._phase.program.call("gradient", arguments(group))

        return self._weights(self._lanes.map(gradient))

    def activity(self, batch: Batch, *, training: bool) -> Mapping[str, Activity]:
        """Return statistics of every layer's outputs on rows of the training split, by label."""
        batch = batch if training else Batch(batch.rows, step=batch.step)
        arguments = self._batch_arguments(batch, self._phase.hyperparameters["network"])

        def moments(group: LaneGroup) -> dict[str, Floats]:
            by_layer = self._phase.program.call("activity", arguments(group), training)
            return {label: values.numpy() for label, values in by_layer.items()}

        by_layer = self._phase.stacks.unstack(self._lanes.join_named(self._lanes.map(moments)))
        return {layer.label: Activity(*by_layer[layer.label].T) for layer in self._network.layers}

    def weights(self) -> Weights:
        """Return a copy of the weights, in the cohort's precision."""
        return self._weights([group.variables() for group in self._lanes.groups])

    def _open(self, phase: Phase) -> OpenPhase:
        """Return a phase's program and hyperparameters."""
        dtype, features, frozen = self._device.dtype, self._features, phase.frozen
        lanes = len(self._lanes.first.lanes)
        stacks = Stacks.of(layer_runs(phase.network, features, frozen))
        hyperparameters = {
            "network": stacks.stack(network_hyperparameters(phase.network, dtype), axis=0),
            "optimizer": optimizer_hyperparameters(phase.optimizer, dtype),
            "clipping": clipping_hyperparameters(phase.clipping, dtype),
        }
        with tf.device(self._device.name):
            tensors = tf.nest.map_structure(tf.constant, hyperparameters)
        clipping = phase.clipping.name if phase.clipping else None
        return OpenPhase(
            program=self._resources.programs.program(phase.network, features, lanes, frozen),
            stacks=stacks,
            techniques=StepTechniques(phase.optimizer.name, clipping),
            hyperparameters=tensors,
        )

    def _batch_arguments(
        self, batch: Batch, hyperparameters: Mapping[str, Any]
    ) -> Callable[[LaneGroup], tuple[Tree, ...]]:
        """Return a function that returns a group's arguments for one batch."""
        keys = self._phase.stacks.stack(batch.noise)
        arrays = batch_arrays(batch.rows, keys, batch.changes, self._device.dtype)

        def arguments(group: LaneGroup) -> tuple[Tree, ...]:
            shared = (self._columns(), hyperparameters, tf.constant(batch.step, tf.uint32))
            moving = group.moving.without_optimizer()
            return moving, group.fixed, group.tensors(arrays), shared

        return arguments

    def _score(
        self,
        split: SplitName,
        metrics: tuple[Metric, ...],
        probabilities: bool,
        sampling: Sampling | None = None,
    ) -> Scores:
        """Score the lanes on a split, block by block."""
        check_metrics(self._network, metrics, probabilities)
        rows = len(getattr(self._data, split))
        at_once = min(SAMPLING_ROWS, rows) if sampling else EVALUATION_ROWS[self._device.kind]
        name, program = "sample" if sampling else "score", self._phase.program
        with tf.device(self._device.name):
            blocks = self._resources.data.row_blocks(self._data, split, self._network, at_once)
            arguments = self._sampled(sampling, len(blocks)) if sampling else self._predicted
            seconds = program.compile_seconds(name, arguments(self._lanes.first, 0, blocks[0]))

        def score(group: LaneGroup) -> list[tuple[NDArray[Any], ...]]:
            scores = (
                program.call(name, arguments(group, *numbered)) for numbered in enumerate(blocks)
            )
            return [tuple(values.numpy() for values in block[:parts]) for block in scores]

        parts = 3 if probabilities else 2
        scores = [
            [self._lanes.join(groups) for groups in zip(*block, strict=True)]
            for block in zip(*self._lanes.map(score), strict=True)
        ]
        outputs = None
        if probabilities:
            outputs = np.concatenate([block[2] for block in scores], axis=1)[:, :rows]
        return Scores(_means(scores, metrics, rows), outputs, seconds, int(seconds > 0))

    def _predicted(self, group: LaneGroup, number: int, block: RowBlock) -> tuple[Tree, ...]:
        """Return the arguments that score a block by plain predictions."""
        del number
        return group.variables(), (block, self._phase.hyperparameters["network"])

    def _sampled(self, sampling: Sampling, blocks: int) -> BlockArguments:
        """Return a function that returns the arguments that score a block with dropout on."""
        dropping = dropping_layers(self._network)
        noise = {label: key for label, key in sampling.noise.items() if label in dropping}
        keys = self._phase.stacks.stack(noise)

        def arguments(group: LaneGroup, number: int, block: RowBlock) -> tuple[Tree, ...]:
            place = SamplePlace(*map(tf.constant, (sampling.samples, number, blocks)))
            shared = (block, place, self._phase.hyperparameters["network"])
            return group.variables(), group.tensors(keys), shared

        return arguments

    def _columns(self) -> Columns:
        return self._resources.data.training_columns(self._data, self._network)

    def _weights(self, groups: list[Tensors]) -> Weights:
        """Return the groups' variables on the host, in the shapes of the contract."""
        arrays = [{name: value.numpy() for name, value in own.items()} for own in groups]
        joined = self._phase.stacks.unstack(self._lanes.join_named(arrays))
        lanes = self._lanes.count
        return {
            name: joined[name].reshape(lanes, *shape)
            for name, shape in self._network.shapes(self._features).items()
            if name in joined
        }


def _means(
    scores: list[list[NDArray[Any]]], metrics: tuple[Metric, ...], rows: int
) -> dict[str, Floats]:
    """Return the metrics of a split from the sums of its blocks, [lanes] by name."""
    means: dict[str, Floats] = {}
    for index, metric in enumerate(("loss", "accuracy")):
        if metric in metrics:
            sums = np.array([block[index] for block in scores], np.float64)
            means[metric] = np.asarray(sums.sum(axis=0) / rows)
    return means


def _layout(value: NDArray[Any]) -> NDArray[Any]:
    """Return a variable in the shape the layers need: all but kernels get an axis for the rows."""
    return value if value.ndim == 3 else value[:, None]
