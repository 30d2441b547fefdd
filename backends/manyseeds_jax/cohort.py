"""A cohort in JAX: its lanes, spread over the CPU's threads or side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import starmap
from typing import TYPE_CHECKING, Any, Literal

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
from manyseeds.techniques.augmentation import Changes
from manyseeds.techniques.layers import AlphaDropout, Dropout
from manyseeds.techniques.network import Network, Weights
from manyseeds_jax import optimizers, scoring
from manyseeds_jax.activity import activity
from manyseeds_jax.augmentation import LaneChanges
from manyseeds_jax.device import Lanes
from manyseeds_jax.layout import Layout
from manyseeds_jax.network import Noise
from manyseeds_jax.programs import Call, call
from manyseeds_jax.scoring import Scored
from manyseeds_jax.training import Fixed, LaneBatch, LaneModel, Moving, Plan, Shared
from manyseeds_jax.variables import PARAMS, LaneWeights, Variables, flat, lane_weights

if TYPE_CHECKING:
    from manyseeds_jax.backend import JaxBackend

SplitName = Literal["train", "valid", "test"]
Tree = Any

EVALUATION_ROWS = {"cpu": 256, "cuda": 1024}
"""Rows scored by one call: one shape serves splits of any length."""
EVALUATION_ELEMENTS = {"cpu": 1 << 22, "cuda": 1 << 26}
"""Most elements of one layer's activations at a time in evaluation: on a GPU, on a CPU's thread."""


class JaxCohort:
    """The networks of many seeds; see `manyseeds.backend.protocols.Cohort`."""

    def __init__(self, backend: JaxBackend, network: Network, data: Splits, lanes: int) -> None:
        self._backend = backend
        self._dtype = backend.device.dtype
        self._network = network
        self._data = data
        self._lanes = Lanes(backend.device, lanes)
        features = data.train.inputs.shape[1]
        self._features = features
        self._variables = network.variables(features)
        kind = backend.device.kind
        widest = self._lanes.at_once * max(network.widths(features).values())
        self._rows = min(EVALUATION_ROWS[kind], max(1, EVALUATION_ELEMENTS[kind] // widest))

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase with these weights and a fresh optimizer."""
        check_structure(self._network, phase)
        clipping = phase.clipping.name if phase.clipping else None
        layout = Layout.of(phase.network, self._features, phase.frozen)
        self._model = LaneModel(phase.network, layout, phase.frozen, phase.optimizer.name, clipping)
        hyperparameters = optimizer_hyperparameters(phase.optimizer, self._dtype)
        first = lane_weights(weights, self._variables, layout, phase.frozen, self._dtype)
        state = optimizers.initial_state(phase.optimizer.name, first.trained, hyperparameters)
        self._moving = self._lanes.put(Moving(first.trained, first.moving, state))
        kept = _nonzero(first.trained) if phase.keep_zeros else {}
        self._fixed = self._lanes.put(Fixed(first.frozen, kept))
        numbers = layout.stacked(network_hyperparameters(phase.network, self._dtype), axis=0)
        self._network_hyperparameters = self._lanes.share(numbers)
        self._optimizer_hyperparameters = self._lanes.share(hyperparameters)
        self._clipping_hyperparameters = self._lanes.share(
            clipping_hyperparameters(phase.clipping, self._dtype)
        )

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes, without a word to the host in between."""
        model = self._model
        shared = self._shared(training=True)
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

        arguments = ((), (self._weights(), self._batch(batch)), self._shared())
        found = call(("gradient", model.passes), self._lanes, gradient, arguments).result
        return self._flat({PARAMS: found}, model.network.trained(model.frozen))

    def activity(self, batch: Batch, *, training: bool) -> Mapping[str, Activity]:
        """Return what leaves each layer on rows of the training split, one lane at a time."""
        model = self._model

        def measure(_: Tree, fixed: tuple[LaneWeights, LaneBatch], shared: Shared) -> Tree:
            return activity(model, training, *fixed, shared)

        asked = batch if training else Batch(batch.rows)
        given = self._batch(asked, noisy=training)
        arguments = ((), (self._weights(), given), self._shared())
        name = ("activity", model.passes, training)
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
        model = self._model

        def evaluate(_: Tree, variables: Variables, shared: tuple[RowBlock, Tree]) -> Scored:
            return scoring.evaluated(model, variables, *shared)

        fixed, name = self._weights().variables(), ("evaluate", model.shape)
        calls = (
            call(name, self._lanes, evaluate, ((), fixed, (piece, self._network_hyperparameters)))
            for piece in self._row_blocks(split, self._rows, filled=True)
        )
        return self._scores(calls, split, metrics, outputs)

    def _sample(self, sampling: Sampling, metrics: tuple[Metric, ...], outputs: bool) -> Scores:
        check_metrics(self._network, metrics, outputs)
        model = self._model

        def sample(_: Tree, fixed: Tree, shared: tuple[RowBlock, SamplePlace, Tree]) -> Scored:
            variables, keys = fixed
            return scoring.sampled(model, variables, keys, *shared)

        dropouts = [
            each.label for each in model.network.layers if isinstance(each, Dropout | AlphaDropout)
        ]
        drawn = {label: sampling.noise[label] for label in dropouts}
        keys = self._lanes.put(model.layout.stacked(drawn, axis=1))
        fixed, name = (self._weights().variables(), keys), ("sample", model.shape)
        # Not filled up: the noise of a row depends on how many there are.
        blocks = self._row_blocks("test", SAMPLING_ROWS, filled=False)

        def call_block(block: int, piece: RowBlock) -> Call:
            how = SamplePlace(*np.array([sampling.samples, block, len(blocks)], np.int32))
            shared = (piece, self._lanes.share(how), self._network_hyperparameters)
            return call(name, self._lanes, sample, ((), fixed, shared))

        return self._scores(starmap(call_block, enumerate(blocks)), "test", metrics, outputs)

    def _scores(
        self, calls: Iterable[Call], split: SplitName, metrics: tuple[Metric, ...], wanted: bool
    ) -> Scores:
        """Return the means over a split of what its pieces' programs found."""
        spent = Compilation()
        found: list[Scored] = []
        for each in calls:
            spent += Compilation(each.compilations, each.seconds)
            found.append(each.result if wanted else each.result._replace(outputs=None))
        parts = [Scored(*self._lanes.get(part)) for part in found]
        rows = len(getattr(self._data, split))
        sums: dict[Metric, Any] = {
            "loss": np.array([part.loss for part in parts], np.float64),
            "accuracy": np.array([part.right for part in parts]),
        }
        means = {str(key): np.asarray(np.sum(sums[key], axis=0) / rows, float) for key in metrics}
        outputs = [part.outputs for part in parts] if wanted else []
        joined = np.concatenate(outputs, axis=1)[:, :rows] if wanted else None
        return Scores(means, joined, spent.seconds, spent.programs)

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

    def _row_blocks(self, split: SplitName, rows: int, *, filled: bool) -> tuple[RowBlock, ...]:
        where = (self._network, self._lanes)
        return self._backend.row_blocks(self._data, split, *where, rows, filled=filled)

    def _shared(self, *, training: bool = False) -> Shared:
        inputs, labels = self._backend.columns(self._data, self._network, self._lanes)
        moving = (
            (self._optimizer_hyperparameters, self._clipping_hyperparameters)
            if training
            else ({}, {})
        )
        return Shared(inputs, labels, self._network_hyperparameters, *moving)

    def _weights(self) -> LaneWeights:
        return LaneWeights(self._moving.trained, self._fixed.frozen, self._moving.averages)

    def _flat(self, found: Variables, names: Iterable[str]) -> Weights:
        """Return arrays by "layer/variable" on the host."""
        return flat(self._lanes.get(found), self._variables, self._model.layout, names)


def _nonzero(trained: Tree) -> dict[str, Any]:
    """Return which weights of the kernels are not 0, by layer."""
    return {label: own["kernel"] != 0 for label, own in trained.items() if "kernel" in own}
