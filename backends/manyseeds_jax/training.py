"""The compiled loop: one lane's epoch, to be mapped over the lanes.

Everything numeric is a run-time argument, so that rates, momenta and dropout rates never compile
anything again.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from manyseeds.techniques.network import Network
from manyseeds_jax import network as networks
from manyseeds_jax import optimizers
from manyseeds_jax.augmentation import LaneChanges, augmented
from manyseeds_jax.clipping import clipped, constrained
from manyseeds_jax.layout import Layout
from manyseeds_jax.network import Noise
from manyseeds_jax.variables import LaneWeights

Tree = Any


class Shared(NamedTuple):
    """What all lanes read.

    Attributes
    ----------
    inputs, labels
        The training split, [n, features] and [n].
    network, optimizer, clipping
        Their numeric hyperparameters; the last two only for training.
    """

    inputs: jax.Array
    labels: jax.Array
    network: networks.Hyperparameters
    optimizer: optimizers.Hyperparameters
    clipping: Mapping[str, jax.Array]


class LaneBatch(NamedTuple):
    """One lane's batch: rows [batch] of the split, its noise, and what is done to its images."""

    rows: jax.Array
    noise: Noise
    changes: LaneChanges | None


class Plan(NamedTuple):
    """One lane's part of an `EpochPlan`: rows and changes [n, ...], rate and momentum [steps].

    The noise is that of the first step.
    """

    rows: jax.Array
    rate: jax.Array
    momentum: jax.Array
    noise: Noise
    changes: LaneChanges | None


class Moving(NamedTuple):
    """What moves in training: trained weights, moving averages, the optimizer's state."""

    trained: Tree
    averages: Tree
    optimizer: Tree


class Fixed(NamedTuple):
    """What stays: frozen weights, and which weights of a kernel are not kept at 0, by label."""

    frozen: Tree
    kept: Mapping[str, jax.Array]


class Slope(NamedTuple):
    """What a batch says: its loss, the penalty, the gradient of their sum, the moved averages."""

    loss: jax.Array
    penalty: jax.Array | None
    gradient: Tree
    averages: Tree


class Step(NamedTuple):
    """One lane's step: rows and changes [batch, ...], and the rest without axes."""

    rows: jax.Array
    changes: LaneChanges | None
    rate: jax.Array
    momentum: jax.Array
    number: jax.Array


@dataclass(frozen=True)
class LaneModel:
    """What one lane computes in training.

    Attributes
    ----------
    network, layout
        Its network, and how the arrays of that lie.
    frozen
        Labels of the layers whose weights stay.
    optimizer, clipping
        Their names.
    """

    network: Network
    layout: Layout
    frozen: tuple[str, ...]
    optimizer: str
    clipping: str | None

    @property
    def name(self) -> Hashable:
        """What distinguishes its programs of training."""
        return (self.passes, self.optimizer, self.clipping)

    @property
    def passes(self) -> Hashable:
        """What distinguishes its programs of a forward and a backward pass."""
        return (self.shape, self.frozen)

    @cached_property
    def shape(self) -> Hashable:
        """What distinguishes its programs of prediction."""
        return (self.network.structure(), self.layout.name())

    def outputs(
        self,
        weights: LaneWeights,
        batch: LaneBatch,
        shared: Shared,
        observe: networks.Observe | None = None,
    ) -> networks.Outputs:
        """Return what a training step gives, and what is observed of what leaves the layers."""
        return networks.train(
            self.layout,
            weights.variables(),
            inputs_of(batch, shared),
            shared.network,
            batch.noise,
            self.frozen,
            observe,
        )

    def slope(self, weights: LaneWeights, batch: LaneBatch, shared: Shared) -> Slope:
        """Return the loss of a batch and its penalty, with their gradient, before clipping."""
        return self._penalised(self._slope(weights, batch, shared), weights, shared)

    def _slope(self, weights: LaneWeights, batch: LaneBatch, shared: Shared) -> Slope:
        """Return the mean loss of a batch with its gradient, without penalties."""
        labels = shared.labels.at[batch.rows].get(mode="promise_in_bounds")

        def loss(trained: Tree) -> tuple[jax.Array, Tree]:
            found = self.outputs(weights._replace(trained=trained), batch, shared)
            return jnp.mean(networks.losses(self.network.loss, found.logits, labels)), found.moved

        (value, averages), gradient = jax.value_and_grad(loss, has_aux=True)(weights.trained)
        return Slope(value, None, gradient, averages)

    def _penalised(self, found: Slope, weights: LaneWeights, shared: Shared) -> Slope:
        """Return a slope with the network's penalties."""
        if not any(layer.penalty for layer in self.network.dense()):
            return found

        def penalty(trained: Tree) -> jax.Array:
            return networks.penalty(self.layout, weights.frozen | trained, shared.network)

        value, gradient = jax.value_and_grad(penalty)(weights.trained)
        gradient = jax.tree.map(jnp.add, found.gradient, gradient)
        return found._replace(penalty=value, gradient=gradient)

    def train(
        self, batch: int, moving: Moving, fixed: tuple[Fixed, Plan], shared: Shared
    ) -> tuple[Moving, tuple[jax.Array, jax.Array | None]]:
        """Take all steps of a plan.

        Parameters
        ----------
        batch
            Examples in a batch; the last has what is left.
        moving
            What moves.
        fixed
            What stays, and the plan.
        shared
            The training split.

        Returns
        -------
        What has moved; and the loss and the penalty of every step before its update, [steps].
        """
        (frozen, kept), plan = fixed
        batch = min(batch, len(plan.rows))
        steps, rest = len(plan.rate), len(plan.rows) % batch

        def slope(moving: Moving, step: Step, size: int) -> Slope:
            weights = LaneWeights(moving.trained, frozen, moving.averages)
            rows, changes = jax.tree.map(lambda leaf: leaf[:size], (step.rows, step.changes))
            noise = plan.noise._replace(step=plan.noise.step + step.number)
            return self._slope(weights, LaneBatch(rows, noise, changes), shared)

        def advance(moving: Moving, step: Step) -> tuple[Moving, tuple[jax.Array, Any]]:
            if not rest:
                found = slope(moving, step, batch)
            else:
                found = jax.lax.cond(
                    step.number < steps - 1,
                    partial(slope, size=batch),
                    partial(slope, size=rest),
                    moving,
                    step,
                )
            weights = LaneWeights(moving.trained, frozen, moving.averages)
            found = self._penalised(found, weights, shared)
            return self._moved(moving, found, step, kept, shared), (found.loss, found.penalty)

        rows, changes = jax.tree.map(
            lambda leaf: _in_batches(leaf, steps, batch), (plan.rows, plan.changes)
        )
        numbers = jnp.arange(steps, dtype=jnp.uint32)
        return jax.lax.scan(advance, moving, Step(rows, changes, plan.rate, plan.momentum, numbers))

    def _moved(
        self,
        moving: Moving,
        found: Slope,
        step: Step,
        kept: Mapping[str, jax.Array],
        shared: Shared,
    ) -> Moving:
        """Return what moves after the optimizer's step, within its constraints."""
        optimizer = optimizers.transformation(
            self.optimizer, step.rate, step.momentum, shared.optimizer
        )
        gradient = clipped(self.clipping, found.gradient, shared.clipping, self.layout)
        updates, state = optimizer.update(gradient, moving.optimizer, moving.trained)
        trained = optax.apply_updates(moving.trained, updates)
        trained = constrained(self.layout, trained, shared.network, kept)
        return Moving(trained, found.averages, state)


def inputs_of(batch: LaneBatch, shared: Shared) -> jax.Array:
    """Return a batch's inputs as the network sees them, [batch, features]."""
    inputs: jax.Array = shared.inputs.at[batch.rows].get(mode="promise_in_bounds")
    return inputs if batch.changes is None else augmented(inputs, batch.changes)


def _in_batches(values: jax.Array, steps: int, batch: int) -> jax.Array:
    """Return values [n, ...] as [steps, batch, ...], the last batch filled up with zeros."""
    fill = [(0, steps * batch - len(values))] + [(0, 0)] * (values.ndim - 1)
    return jnp.pad(values, fill).reshape(steps, batch, *values.shape[1:])
