"""The compiled loop: one lane's epoch, to be mapped over the lanes.

Everything numeric is a run-time argument, so that rates, momenta and dropout rates never compile
anything again.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from manyseeds.network import Network
from manyseeds_jax import network as networks
from manyseeds_jax import optimizers

Tree = Any


class Shared(NamedTuple):
    """What all lanes read.

    Attributes
    ----------
    inputs, labels
        A split, [n, features] and [n].
    network, optimizer
        Their numeric hyperparameters; an optimizer's only for training.
    """

    inputs: jax.Array
    labels: jax.Array
    network: networks.Knobs
    optimizer: optimizers.Knobs


class Plan(NamedTuple):
    """One lane's part of an `EpochPlan`: rows [n], rate and momentum [steps], noise keys [2]."""

    rows: jax.Array
    rate: jax.Array
    momentum: jax.Array
    keys: Mapping[str, jax.Array]
    step: jax.Array


class Step(NamedTuple):
    """One lane's step: rows [batch], and the rest without axes."""

    rows: jax.Array
    rate: jax.Array
    momentum: jax.Array
    number: jax.Array


@dataclass(frozen=True)
class LaneModel:
    """What one lane computes: the network, its loss, and the optimizer that trains it."""

    network: Network
    optimizer: str
    dtype: np.dtype[Any]

    def name(self) -> Hashable:
        """Return what distinguishes its programs, but for the optimizer."""
        return (self.network.structure(), str(self.dtype))

    def logits(
        self,
        parameters: Tree,
        inputs: jax.Array,
        shared: Shared,
        noise: networks.Noise | None = None,
    ) -> jax.Array:
        """Return the logits [batch, outputs]."""
        module = networks.LaneNetwork(self.network, self.dtype)
        logits: jax.Array = module.apply({"params": parameters}, inputs, shared.network, noise)
        return logits

    def gradient(
        self, weights: tuple[Tree, Tree], rows: jax.Array, noise: networks.Noise, shared: Shared
    ) -> tuple[jax.Array, Tree]:
        """Return the mean loss of the rows, and its gradient with respect to what is trainable."""
        trainable, frozen = weights
        inputs = shared.inputs.at[rows].get(mode="promise_in_bounds")
        labels = shared.labels.at[rows].get(mode="promise_in_bounds")

        def loss(trainable: Tree) -> jax.Array:
            parameters = {**frozen, **trainable}
            logits = self.logits(parameters, inputs, shared, noise)
            return jnp.mean(networks.losses(self.network.loss, logits, labels))

        return jax.value_and_grad(loss)(trainable)

    def train(
        self, batch: int, moving: tuple[Tree, Tree], fixed: tuple[Tree, Plan], shared: Shared
    ) -> tuple[tuple[Tree, Tree], jax.Array]:
        """Take all steps of a plan.

        Parameters
        ----------
        batch
            Examples in a batch; the last has what is left.
        moving
            The trainable weights and the optimizer's state.
        fixed
            The frozen weights and the plan.
        shared
            The training split.

        Returns
        -------
        What has moved, and the loss of every step before its update, [steps].
        """
        frozen, plan = fixed
        batch = min(batch, len(plan.rows))
        steps, rest = len(plan.rate), len(plan.rows) % batch

        def gradient(trainable: Tree, step: Step, size: int) -> tuple[jax.Array, Tree]:
            noise = (plan.keys, plan.step + step.number)
            return self.gradient((trainable, frozen), step.rows[:size], noise, shared)

        def advance(moving: tuple[Tree, Tree], step: Step) -> tuple[tuple[Tree, Tree], jax.Array]:
            trainable, state = moving
            if not rest:
                loss, slope = gradient(trainable, step, batch)
            else:
                loss, slope = jax.lax.cond(
                    step.number < steps - 1,
                    partial(gradient, size=batch),
                    partial(gradient, size=rest),
                    trainable,
                    step,
                )
            optimizer = optimizers.transformation(
                self.optimizer, step.rate, step.momentum, shared.optimizer
            )
            updates, state = optimizer.update(slope, state, trainable)
            return (optax.apply_updates(trainable, updates), state), loss

        rows = jnp.pad(plan.rows, (0, steps * batch - len(plan.rows))).reshape(steps, batch)
        numbers = jnp.arange(steps, dtype=jnp.uint32)
        return jax.lax.scan(advance, moving, Step(rows, plan.rate, plan.momentum, numbers))

    def evaluate(
        self, chunk: int, wants_outputs: bool, parameters: Tree, shared: Shared
    ) -> tuple[jax.Array, jax.Array, list[jax.Array]]:
        """Return by chunk the sum of losses, the correct answers, and the outputs if wanted."""
        kind = self.network.loss

        def score(part: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
            inputs, labels = part
            logits = self.logits(parameters, inputs, shared)
            outputs = networks.probabilities(kind, logits)
            right = jnp.sum(networks.correct(kind, outputs, labels), dtype=jnp.int32)
            loss = jnp.sum(networks.losses(kind, logits, labels))
            return (loss, right, outputs) if wants_outputs else (loss, right)

        full = len(shared.inputs) // chunk
        whole, rest = [], []
        for column in (shared.inputs, shared.labels):
            whole.append(column[: full * chunk].reshape(full, chunk, *column.shape[1:]))
            rest.append(column[full * chunk :])
        parts = [jax.lax.map(score, tuple(whole))] if full else []
        if len(rest[0]):
            parts.append(tuple(value[None] for value in score(tuple(rest))))
        loss, right = (jnp.concatenate([part[index] for part in parts]) for index in (0, 1))
        return loss, right, [part[2].reshape(-1, part[2].shape[-1]) for part in parts if part[2:]]
