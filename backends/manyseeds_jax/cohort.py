"""The JAX cohort: the networks of many seeds, trained and scored by compiled programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import starmap
from typing import Any, Literal

import numpy as np

from manyseeds.backend.hyperparameters import (
    clipping_hyperparameters,
    network_hyperparameters,
    optimizer_hyperparameters,
)
from manyseeds.backend.row_blocks import RowBlock, SamplePlace
from manyseeds.backend.values import (
    SAMPLING_ROWS,
    Activity,
    Batch,
    Compilation,
    EpochPlan,
    EpochTrace,
    Metric,
    Sampling,
    Scores,
    Splits,
    check_metrics,
    check_structure,
)
from manyseeds.suite.recipe import Phase
from manyseeds.techniques.network import Network, Weights
from manyseeds_jax import scoring
from manyseeds_jax.activity import activity
from manyseeds_jax.backend_data import DeviceData, SplitName
from manyseeds_jax.backend_programs import ProgramCall, Programs
from manyseeds_jax.cohort_transfer import Transfer
from manyseeds_jax.device import OpenDevice
from manyseeds_jax.lanes import LaneGroups
from manyseeds_jax.network import LaneNetwork
from manyseeds_jax.network_variables import (
    PARAMS,
    LaneWeights,
    Variables,
    lane_weights,
    named_arrays,
)
from manyseeds_jax.optimizers import initial_state
from manyseeds_jax.scoring import BlockScores
from manyseeds_jax.training import Trainer
from manyseeds_jax.training_arrays import (
    DeviceBatch,
    Fixed,
    Moving,
    SharedArrays,
    all_weights,
)

Tree = Any

EVALUATION_ROWS = {"cpu": 256, "cuda": 1024}
"""Number of rows scored by one call; the same shape serves splits of any length."""
EVALUATION_ELEMENTS = {"cpu": 1 << 22, "cuda": 1 << 26}
"""Most elements of one layer's activations at a time in evaluation, on a CPU's thread or a GPU."""


class JaxCohort:
    """The networks of many seeds; see `manyseeds.backend.protocols.Cohort`.

    Parameters
    ----------
    device
        The open device.
    programs, data
        The backend's compiled programs, and its data on the device.
    network
        The network of every lane.
    splits
        The task's data.
    lanes
        Number of lanes.
    """

    def __init__(
        self,
        device: OpenDevice,
        programs: Programs,
        data: DeviceData,
        network: Network,
        splits: Splits,
        lanes: int,
    ) -> None:
        self._dtype = device.dtype
        self._programs = programs
        self._data = data
        self._network = network
        self._splits = splits
        self._groups = LaneGroups(device, lanes)
        features = splits.train.inputs.shape[1]
        self._features = features
        self._variables = network.variables(features)
        widest = self._groups.at_once * max(network.widths(features).values())
        most = max(1, EVALUATION_ELEMENTS[device.kind] // widest)
        self._evaluation_rows = min(EVALUATION_ROWS[device.kind], most)

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase with these weights, the phase's frozen layers and a fresh optimizer."""
        check_structure(self._network, phase)
        network = LaneNetwork.of(phase.network, self._features, phase.frozen)
        clipping = phase.clipping.name if phase.clipping else None
        self._trainer = Trainer(network, phase.optimizer.name, clipping)
        noises = tuple(self._network.noises(1, 1))
        self._transfer = Transfer(self._groups, network.layout, noises, self._dtype)
        optimizer = optimizer_hyperparameters(phase.optimizer, self._dtype)
        first = lane_weights(weights, self._variables, network.layout, phase.frozen, self._dtype)
        state = initial_state(phase.optimizer.name, first.trained, optimizer)
        self._moving = self._groups.put(Moving(first.trained, first.averages, state))
        nonzero = _nonzero(first.trained) if phase.keep_zeros else {}
        self._fixed = self._groups.put(Fixed(first.frozen, nonzero))
        numbers = network_hyperparameters(phase.network, self._dtype)
        self._hyperparameters = self._groups.share(network.layout.stacked(numbers, axis=0))
        self._training_hyperparameters = self._groups.share(
            (optimizer, clipping_hyperparameters(phase.clipping, self._dtype))
        )

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes, in one call of one program."""
        trainer = self._trainer
        shared = self._shared(*self._training_hyperparameters)
        arguments = (self._moving, (self._fixed, self._transfer.plan(epoch)), shared)
        program = partial(trainer.train, epoch.batch)
        call = self._programs.call(
            ("train", trainer.name, epoch.batch), self._groups, program, arguments
        )
        self._moving, (loss, penalty) = call.result
        return EpochTrace(
            self._groups.get(loss).astype(np.float64),
            None if penalty is None else self._groups.get(penalty).astype(np.float64),
            call.compilation.seconds,
            call.compilation.programs,
        )

    def evaluate(
        self,
        split: Literal["train", "valid"],
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
    ) -> Scores:
        """Score the lanes on a split without dropout, in blocks of bounded memory."""
        return self._predict(split, metrics, probabilities)

    def score(
        self,
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
        sampling: Sampling | None = None,
    ) -> Scores:
        """Score the lanes on the test split; with `sampling`, score their mean predictions."""
        if sampling is None:
            return self._predict("test", metrics, probabilities)
        return self._sample(sampling, metrics, probabilities)

    def gradient(self, batch: Batch) -> Weights:
        """Return the gradient of the training loss on a batch, by trained variable."""
        trainer = self._trainer

        def gradient(_: Tree, fixed: tuple[LaneWeights, DeviceBatch], shared: SharedArrays) -> Tree:
            return trainer.gradient(*fixed, shared).gradient

        arguments = ((), (self._weights(), self._transfer.batch(batch)), self._shared())
        name = ("gradient", trainer.network.gradient_name)
        result = self._programs.call(name, self._groups, gradient, arguments).result
        network = trainer.network
        return self._named({PARAMS: result}, network.definition.trained(network.frozen))

    def activity(self, batch: Batch, *, training: bool) -> Mapping[str, Activity]:
        """Return statistics of every layer's outputs on rows of the training split, by label."""
        trainer = self._trainer
        network = trainer.network

        def measure(_: Tree, fixed: tuple[LaneWeights, DeviceBatch], shared: SharedArrays) -> Tree:
            return activity(trainer, training, *fixed, shared)

        on_device = self._transfer.batch(batch if training else Batch(batch.rows), noisy=training)
        arguments = ((), (self._weights(), on_device), self._shared())
        name = ("activity", network.gradient_name, training)
        result = self._programs.call(name, self._groups, measure, arguments, one_by_one=True).result
        numbers = {label: self._groups.get(values) for label, values in result.items()}
        labels = [layer.label for layer in network.definition.layers]
        places = {label: network.layout.place(label) for label in labels}
        return {
            label: Activity(*numbers[first][index].T.astype(np.float64))
            for label, (first, index) in places.items()
        }

    def weights(self) -> Weights:
        """Return a copy of the weights, in the cohort's precision."""
        return self._named(self._weights().variables(), self._variables)

    def _predict(
        self, split: SplitName, metrics: tuple[Metric, ...], probabilities: bool
    ) -> Scores:
        check_metrics(self._network, metrics, probabilities)
        network = self._trainer.network

        def score(_: Tree, variables: Variables, shared: tuple[RowBlock, Tree]) -> BlockScores:
            return scoring.score(network, variables, *shared)

        variables, name = self._weights().variables(), ("evaluate", network.prediction_name)
        blocks = self._row_blocks(split, self._evaluation_rows, filled=True)
        calls = (
            self._programs.call(
                name, self._groups, score, ((), variables, (block, self._hyperparameters))
            )
            for block in blocks
        )
        return self._scores(calls, split, metrics, probabilities)

    def _sample(
        self, sampling: Sampling, metrics: tuple[Metric, ...], probabilities: bool
    ) -> Scores:
        check_metrics(self._network, metrics, probabilities)
        network = self._trainer.network

        def sample(_: Tree, fixed: Tree, shared: tuple[RowBlock, SamplePlace, Tree]) -> BlockScores:
            variables, keys = fixed
            return scoring.sample(network, variables, keys, *shared)

        keys = self._transfer.keys(sampling.noise, network.dropouts)
        fixed, name = (self._weights().variables(), keys), ("sample", network.prediction_name)
        # The last block stays smaller: the noise of a row depends on the number of rows.
        blocks = self._row_blocks("test", SAMPLING_ROWS, filled=False)

        def sample_block(number: int, block: RowBlock) -> ProgramCall:
            place = SamplePlace(*np.array([sampling.samples, number, len(blocks)], np.int32))
            shared = (block, self._groups.share(place), self._hyperparameters)
            return self._programs.call(name, self._groups, sample, ((), fixed, shared))

        calls = starmap(sample_block, enumerate(blocks))
        return self._scores(calls, "test", metrics, probabilities)

    def _scores(
        self,
        calls: Iterable[ProgramCall],
        split: SplitName,
        metrics: tuple[Metric, ...],
        probabilities: bool,
    ) -> Scores:
        """Return a split's scores from the calls that score its blocks.

        All calls start before the first result is copied back.
        """
        compilation = Compilation()
        blocks: list[BlockScores] = []
        for call in calls:
            compilation += call.compilation
            blocks.append(call.result if probabilities else call.result._replace(outputs=None))
        on_host = [BlockScores(*self._groups.get(block)) for block in blocks]
        rows = len(getattr(self._splits, split))
        return scoring.split_scores(
            on_host, rows, metrics, probabilities=probabilities, compilation=compilation
        )

    def _row_blocks(self, split: SplitName, rows: int, *, filled: bool) -> tuple[RowBlock, ...]:
        where = (self._network, self._groups)
        return self._data.row_blocks(self._splits, split, *where, rows, filled=filled)

    def _shared(self, optimizer: Tree = None, clipping: Tree = None) -> SharedArrays:
        inputs, labels = self._data.training_split(self._splits, self._network, self._groups)
        return SharedArrays(inputs, labels, self._hyperparameters, optimizer or {}, clipping or {})

    def _weights(self) -> LaneWeights:
        return all_weights(self._moving, self._fixed)

    def _named(self, arrays: Variables, names: Iterable[str]) -> Weights:
        """Return arrays on the host by "layer/variable"."""
        on_host = self._groups.get(arrays)
        return named_arrays(on_host, self._variables, self._trainer.network.layout, names)


def _nonzero(trained: Tree) -> dict[str, Any]:
    """Return whether each weight of the trained kernels is not 0, by layer."""
    return {
        label: variables["kernel"] != 0
        for label, variables in trained.items()
        if "kernel" in variables
    }
