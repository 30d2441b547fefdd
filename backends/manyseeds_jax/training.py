"""The compiled loop: one lane's step, mapped over the lanes, scanned over an epoch's steps.

Programs are compiled ahead of time and kept by structure and shapes; everything numeric is a
run-time argument, so that rates, momenta and dropout rates never compile anything again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

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
)
from manyseeds.errors import RequestError
from manyseeds.network import Network, Weights
from manyseeds.recipe import Phase
from manyseeds_jax import device as devices
from manyseeds_jax import network as networks
from manyseeds_jax import optimizers

SplitName = Literal["train", "valid", "test"]
Tree = Any

KEPT_TASKS = 3
"""How many tasks' data stay on the device."""
EVALUATION_ELEMENTS = 1 << 22
"""Most elements of one layer's activations at once in evaluation, over all lanes."""

_PROGRAMS: dict[Hashable, Callable[..., Any]] = {}


@dataclass(frozen=True)
class Compiled:
    """A program, with what it took to get it this time."""

    program: Callable[..., Any]
    seconds: float
    compilations: int


def compiled(
    name: Hashable,
    function: Callable[..., Any],
    arguments: tuple[Tree, ...],
    donate: tuple[int, ...],
) -> Compiled:
    """Return `function` compiled for arguments of these shapes, kept for the next time.

    Parameters
    ----------
    name
        Everything the function depends on but its arguments.
    function
        What to compile.
    arguments
        Arrays of the shapes, types and placement it will be called with.
    donate
        Which arguments it may overwrite.
    """
    leaves, tree = jax.tree.flatten(arguments)
    key = (name, tree, tuple((leaf.shape, str(leaf.dtype)) for leaf in leaves))
    if key in _PROGRAMS:
        return Compiled(_PROGRAMS[key], 0.0, 0)
    start = time.perf_counter()
    _PROGRAMS[key] = jax.jit(function, donate_argnums=donate).lower(*arguments).compile()
    return Compiled(_PROGRAMS[key], time.perf_counter() - start, 1)


@dataclass(frozen=True)
class LaneModel:
    """What one lane computes: the network, its loss, and the optimizer that trains it."""

    network: Network
    optimizer: str
    dtype: np.dtype[Any]

    def name(self) -> Hashable:
        """Return what distinguishes its programs."""
        return (networks.structure(self.network), self.optimizer, str(self.dtype))

    def logits(self, parameters: Tree, inputs: jax.Array, knobs: Tree, *noise: Any) -> jax.Array:
        """Return the logits [batch, outputs]."""
        module = networks.LaneNetwork(self.network, self.dtype)
        return module.apply({"params": parameters}, inputs, knobs, *noise)

    def gradient(
        self, trainable: Tree, frozen: Tree, data: Tree, rows: jax.Array, noise: Tree, knobs: Tree
    ) -> tuple[jax.Array, Tree]:
        """Return a batch's mean loss and its gradient with respect to what is trainable."""
        inputs, labels = (column.at[rows].get(mode="promise_in_bounds") for column in data)

        def loss(trainable: Tree) -> jax.Array:
            logits = self.logits({**frozen, **trainable}, inputs, knobs["network"], *noise)
            return jnp.mean(networks.losses(self.network.loss, logits, labels))

        return jax.value_and_grad(loss)(trainable)

    def step(
        self, trainable: Tree, state: Tree, frozen: Tree, data: Tree, knobs: Tree, batch: Tree
    ) -> tuple[Tree, Tree, jax.Array]:
        """Take one step; return the new weights and optimizer state, and the loss before it."""
        rows, rate, momentum, noise = batch
        loss, gradient = self.gradient(trainable, frozen, data, rows, noise, knobs)
        step = optimizers.transformation(self.optimizer, rate, momentum, knobs["optimizer"])
        updates, state = step.update(gradient, state, trainable)
        return optax.apply_updates(trainable, updates), state, loss

    def score(
        self, parameters: Tree, inputs: jax.Array, labels: jax.Array, knobs: Tree
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Return the sum of losses, the number of correct answers, and the outputs."""
        logits = self.logits(parameters, inputs, knobs["network"])
        kind = self.network.loss
        outputs = networks.probabilities(kind, logits)
        right = networks.correct(kind, outputs, labels)
        loss = jnp.sum(networks.losses(kind, logits, labels))
        return loss, jnp.sum(right, dtype=jnp.int32), outputs


def _train(
    model: LaneModel,
    batch: int,
    trainable: Tree,
    state: Tree,
    frozen: Tree,
    data: Tree,
    knobs: Tree,
    plan: Tree,
) -> tuple[Tree, Tree, jax.Array]:
    """Take all the steps of a plan in all lanes; return weights, state, loss [steps, lanes]."""
    order, rate, momentum, keys, first = plan
    step = jax.vmap(model.step, in_axes=(0, 0, 0, None, None, (0, 0, 0, (0, None))))
    lanes, rows = order.shape
    full = rows // batch
    numbers = first + jnp.arange(len(rate), dtype=jnp.uint32)

    def advance(carry: Tree, xs: Tree) -> tuple[Tree, jax.Array]:
        rows, rate, momentum, number = xs
        trainable, state, loss = step(
            *carry, frozen, data, knobs, (rows, rate, momentum, (keys, number))
        )
        return (trainable, state), loss

    batches = order[:, : full * batch].reshape(lanes, full, batch).swapaxes(0, 1)
    whole = (batches, rate[:full], momentum[:full], numbers[:full])
    carry, loss = jax.lax.scan(advance, (trainable, state), whole)
    if full * batch < rows:
        rest = (order[:, full * batch :], rate[full], momentum[full], numbers[full])
        carry, last = advance(carry, rest)
        loss = jnp.concatenate([loss, last[None]])
    return *carry, loss


def _gradient(
    model: LaneModel, trainable: Tree, frozen: Tree, data: Tree, knobs: Tree, batch: Tree
) -> Tree:
    """Return the gradient of one batch in all lanes."""
    lane = jax.vmap(model.gradient, in_axes=(0, 0, None, 0, (0, None), None))
    rows, noise = batch
    return lane(trainable, frozen, data, rows, noise, knobs)[1]


def _evaluate(
    model: LaneModel, chunk: int, wants_outputs: bool, parameters: Tree, data: Tree, knobs: Tree
) -> tuple[jax.Array, jax.Array, list[jax.Array]]:
    """Score all lanes chunk by chunk; sums by chunk and lane, outputs [chunks, lanes, ...]."""
    lanes = jax.vmap(model.score, in_axes=(0, None, None, None))

    def score(part: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, ...]:
        loss, right, outputs = lanes(parameters, *part, knobs)
        return (loss, right, outputs) if wants_outputs else (loss, right)

    rows = len(data[0])
    full = rows // chunk
    whole = tuple(column[: full * chunk].reshape(full, chunk, *column.shape[1:]) for column in data)
    parts = [jax.lax.map(score, whole)] if full else []
    if full * chunk < rows:
        rest = score(tuple(column[full * chunk :] for column in data))
        parts.append(jax.tree.map(lambda leaf: leaf[None], rest))
    loss, right = (jnp.concatenate([part[index] for part in parts]) for index in (0, 1))
    return loss, right, [part[2] for part in parts if wants_outputs]


class JaxCohort:
    """The networks of many seeds in lockstep; see `manyseeds.backend.Cohort`."""

    def __init__(self, backend: JaxBackend, network: Network, data: Splits, lanes: int) -> None:
        self._backend = backend
        self._device = backend.device
        self._network = network
        self._data = data
        self._lanes = lanes
        self._chunk = max(
            1, EVALUATION_ELEMENTS // (lanes * max(layer.units for layer in network.dense()))
        )

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase with these weights and a fresh optimizer."""
        dtype = self._device.dtype
        if networks.structure(phase.network) != networks.structure(self._network):
            raise RequestError(
                f"phase {phase.name!r} has a network of another structure than its cohort's"
            )
        self._phase = phase
        self._model = LaneModel(phase.network, phase.optimizer.name, dtype)
        parameters = self._nested(weights)
        self._frozen = {key: parameters.pop(key) for key in phase.frozen}
        self._trainable = parameters
        initialise = partial(optimizers.initial_state, phase.optimizer.name)
        shapes = jax.eval_shape(jax.vmap(initialise), self._trainable)
        self._state = self._put(jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes))
        self._knobs = self._put(
            {
                "network": networks.knobs_of(phase.network, dtype),
                "optimizer": optimizers.knobs_of(phase.optimizer, dtype),
            }
        )

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes, without a word to the host in between."""
        arguments = (
            self._trainable,
            self._state,
            self._frozen,
            self._columns("train"),
            self._knobs,
            self._put(self._plan(epoch)),
        )
        function = partial(_train, self._model, epoch.batch)
        name = ("train", self._model.name(), epoch.batch)
        program = self._compiled(name, function, arguments, donate=(0, 1))
        self._trainable, self._state, loss = program.program(*arguments)
        trace = np.asarray(loss, np.float64).T
        return EpochTrace(trace, program.seconds, program.compilations)

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
        noise = (dict(batch.noise), np.asarray(batch.step, np.uint32))
        arguments = (
            self._trainable,
            self._frozen,
            self._columns("train"),
            self._knobs,
            self._put((np.asarray(batch.rows, np.int32), noise)),
        )
        function = partial(_gradient, self._model)
        program = self._compiled(("gradient", self._model.name()), function, arguments)
        return self._flat(program.program(*arguments))

    def weights(self) -> Weights:
        """Return a copy of the weights, in the cohort's precision."""
        return self._flat({**self._frozen, **self._trainable})

    def _plan(self, epoch: EpochPlan) -> Tree:
        """Return a plan as arrays whose first axis is the step, but for the order."""
        dtype = self._device.dtype
        momentum = epoch.momentum
        if momentum is None:
            knob = self._phase.optimizer.hyperparameters().get("momentum", 0.0)
            momentum = np.full(epoch.rate.shape, knob)
        return (
            np.asarray(epoch.order, np.int32),
            np.asarray(epoch.rate.T, dtype),
            np.asarray(momentum.T, dtype),
            dict(epoch.noise),
            np.asarray(epoch.step, np.uint32),
        )

    def _score(self, split: SplitName, metrics: tuple[Metric, ...], probabilities: bool) -> Scores:
        if "accuracy" in metrics and self._network.loss == "mean_squared_error":
            raise RequestError(
                f"network {self._network.name!r} has a linear output, which has no accuracy; "
                "ask for the metric 'loss'"
            )
        arguments = (
            {**self._frozen, **self._trainable},
            self._columns(split),
            self._knobs,
        )
        function = partial(_evaluate, self._model, self._chunk, probabilities)
        name = ("evaluate", self._model.name(), self._chunk, probabilities)
        program = self._compiled(name, function, arguments)
        loss, right, outputs = program.program(*arguments)
        rows = len(arguments[1][0])
        sums = {"loss": loss, "accuracy": right}
        means = {key: np.asarray(sums[key], np.float64).sum(axis=0) / rows for key in metrics}
        joined = _join(outputs) if probabilities else None
        return Scores(means, joined, program.seconds, program.compilations)

    def _compiled(
        self,
        name: Hashable,
        function: Callable[..., Any],
        arguments: tuple[Tree, ...],
        donate: tuple[int, ...] = (),
    ) -> Compiled:
        return compiled((name, self._device.jax_device), function, arguments, donate)

    def _columns(self, split: SplitName) -> Tree:
        return self._backend.columns(self._data, split, self._network)

    def _put(self, tree: Tree) -> Tree:
        return jax.device_put(tree, self._device.jax_device)

    def _nested(self, weights: Weights) -> dict[str, dict[str, jax.Array]]:
        """Return weights by layer, then by variable, on the device: a copy of their own."""
        nested: dict[str, dict[str, jax.Array]] = {}
        for name, value in weights.items():
            label, variable = name.split("/")
            own = np.array(value, self._device.dtype)
            nested.setdefault(label, {})[variable] = self._put(own)
        return nested

    def _flat(self, nested: Mapping[str, Mapping[str, jax.Array]]) -> Weights:
        """Return nested weights by "layer/variable" in the order of the layers, on the host."""
        return {
            f"{layer.label}/{variable}": np.array(nested[layer.label][variable])
            for layer in self._network.dense()
            if layer.label in nested
            for variable in (("kernel", "bias") if layer.bias else ("kernel",))
        }


def _join(outputs: list[jax.Array]) -> np.ndarray[Any, Any]:
    """Return chunks of outputs, each [chunks, lanes, rows, classes], as [lanes, n, classes]."""
    parts = [np.asarray(part).swapaxes(0, 1) for part in outputs]
    return np.concatenate(
        [part.reshape(part.shape[0], -1, part.shape[-1]) for part in parts], axis=1
    )


class JaxBackend:
    """JAX, opened with its settings; see `manyseeds.backend.Backend`."""

    def __init__(self, settings: Settings) -> None:
        self.device = devices.open_device(settings)
        self._kept: OrderedDict[str, dict[Hashable, Tree]] = OrderedDict()

    def describe(self) -> Environment:
        """Say what this backend runs on."""
        return devices.describe(self.device)

    def cohort(self, network: Network, data: Splits, lanes: int) -> JaxCohort:
        """Return a cohort; compiled programs and data are kept for the next of the same shape."""
        return JaxCohort(self, network, data, lanes)

    def peak_memory(self) -> int:
        """Return the most device memory used so far, in bytes; 0 on a CPU."""
        return devices.peak_memory(self.device)

    def columns(self, data: Splits, split: SplitName, network: Network) -> Tree:
        """Return a split's inputs and labels on the device, put there at most once.

        Only the latest `KEPT_TASKS` tasks stay.
        """
        task = self._kept.setdefault(data.key, {})
        self._kept.move_to_end(data.key)
        while len(self._kept) > KEPT_TASKS:
            self._kept.popitem(last=False)
        classes = network.loss == "sparse_cross_entropy"
        if (split, classes) not in task:
            columns: Split = getattr(data, split)
            dtype = self.device.dtype
            task[split, classes] = jax.device_put(
                (
                    np.asarray(columns.inputs, dtype),
                    np.asarray(columns.labels, np.int32 if classes else dtype),
                ),
                self.device.jax_device,
            )
        return task[split, classes]
