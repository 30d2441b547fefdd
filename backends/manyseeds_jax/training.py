"""The step loop: one lane's epoch as a function to be mapped over the lanes and compiled.

Every number is a run-time argument, so that new rates, momenta or dropout rates compile nothing.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from manyseeds_jax.augmentation import augmented
from manyseeds_jax.clipping import clipped, constrained
from manyseeds_jax.losses import losses
from manyseeds_jax.network import LaneNetwork, NetworkOutputs, Observe
from manyseeds_jax.network_variables import LaneWeights
from manyseeds_jax.optimizers import RULES
from manyseeds_jax.penalties import has_penalty, penalty
from manyseeds_jax.training_arrays import (
    BatchGradient,
    DeviceBatch,
    DevicePlan,
    Fixed,
    Moving,
    PlanStep,
    SharedArrays,
    all_weights,
)

Tree = Any


@dataclass(frozen=True)
class Trainer:
    """The training of one lane.

    Attributes
    ----------
    network
        The lane's network.
    optimizer, clipping
        The names of the optimizer and of the clipping.
    """

    network: LaneNetwork
    optimizer: str
    clipping: str | None

    @property
    def name(self) -> Hashable:
        """A name that trainers share if they share their training programs."""
        return (self.network.gradient_name, self.optimizer, self.clipping)

    def outputs(
        self,
        weights: LaneWeights,
        batch: DeviceBatch,
        shared: SharedArrays,
        observe: Observe | None = None,
    ) -> NetworkOutputs:
        """Return the network's outputs in a training step, with measurements of its layers."""
        inputs = inputs_of(batch, shared)
        return self.network.train(weights.variables(), inputs, shared.network, batch.noise, observe)

    def gradient(
        self, weights: LaneWeights, batch: DeviceBatch, shared: SharedArrays
    ) -> BatchGradient:
        """Return loss and penalty of a batch, with the gradient of their sum before clipping."""
        return self._with_penalty(self._loss_gradient(weights, batch, shared), weights, shared)

    def train(
        self, batch: int, moving: Moving, fixed: tuple[Fixed, DevicePlan], shared: SharedArrays
    ) -> tuple[Moving, tuple[jax.Array, jax.Array | None]]:
        """Take all steps of a plan.

        Parameters
        ----------
        batch
            Examples in a batch; the last batch has the remainder.
        moving
            The arrays that the steps change.
        fixed
            The arrays that stay the same, and the plan.
        shared
            The training split and the hyperparameters.

        Returns
        -------
        The changed arrays; and the loss and the penalty of every step before its update, [steps].
        """
        phase, plan = fixed
        batch = min(batch, len(plan.rows))
        steps, remainder = len(plan.rate), len(plan.rows) % batch

        def loss_gradient(size: int, moving: Moving, step: PlanStep) -> BatchGradient:
            rows, changes = jax.tree.map(lambda leaf: leaf[:size], (step.rows, step.changes))
            noise = plan.noise._replace(step=plan.noise.step + step.number)
            weights = all_weights(moving, phase)
            return self._loss_gradient(weights, DeviceBatch(rows, noise, changes), shared)

        def advance(moving: Moving, step: PlanStep) -> tuple[Moving, tuple[jax.Array, Any]]:
            if remainder:
                full, last = partial(loss_gradient, batch), partial(loss_gradient, remainder)
                result = jax.lax.cond(step.number < steps - 1, full, last, moving, step)
            else:
                result = loss_gradient(batch, moving, step)
            result = self._with_penalty(result, all_weights(moving, phase), shared)
            return self._updated(moving, result, step, phase, shared), (result.loss, result.penalty)

        return jax.lax.scan(advance, moving, _plan_steps(plan, batch))

    def _loss_gradient(
        self, weights: LaneWeights, batch: DeviceBatch, shared: SharedArrays
    ) -> BatchGradient:
        """Return the mean loss of a batch and its gradient, without penalties."""
        labels = shared.labels.at[batch.rows].get(mode="promise_in_bounds")

        def loss(trained: Tree) -> tuple[jax.Array, Tree]:
            outputs = self.outputs(weights._replace(trained=trained), batch, shared)
            values = losses(self.network.definition.loss, outputs.logits, labels)
            return jnp.mean(values), outputs.averages

        (value, averages), gradient = jax.value_and_grad(loss, has_aux=True)(weights.trained)
        return BatchGradient(value, None, gradient, averages)

    def _with_penalty(
        self, result: BatchGradient, weights: LaneWeights, shared: SharedArrays
    ) -> BatchGradient:
        """Return a batch's result with the network's penalties and their gradient."""
        if not has_penalty(self.network.definition):
            return result

        def total(trained: Tree) -> jax.Array:
            return penalty(self.network.layout, weights.frozen | trained, shared.network)

        value, gradient = jax.value_and_grad(total)(weights.trained)
        gradient = jax.tree.map(jnp.add, result.gradient, gradient)
        return result._replace(penalty=value, gradient=gradient)

    def _updated(
        self,
        moving: Moving,
        result: BatchGradient,
        step: PlanStep,
        phase: Fixed,
        shared: SharedArrays,
    ) -> Moving:
        """Return the arrays after the optimizer's update, within their constraints."""
        layout = self.network.layout
        rule = RULES[self.optimizer](step.rate, step.momentum, shared.optimizer)
        gradient = clipped(self.clipping, result.gradient, shared.clipping, layout)
        updates, state = rule.update(gradient, moving.optimizer, moving.trained)
        trained = optax.apply_updates(moving.trained, updates)
        trained = constrained(layout, trained, shared.network, phase.nonzero)
        return Moving(trained, result.averages, state)


def inputs_of(batch: DeviceBatch, shared: SharedArrays) -> jax.Array:
    """Return a batch's inputs, augmented if there are changes, [batch, features]."""
    inputs: jax.Array = shared.inputs.at[batch.rows].get(mode="promise_in_bounds")
    return inputs if batch.changes is None else augmented(inputs, batch.changes)


def _plan_steps(plan: DevicePlan, batch: int) -> PlanStep:
    """Return all steps of a plan, [steps, ...]; the last batch is filled up with zeros."""
    steps = len(plan.rate)
    rows, changes = jax.tree.map(
        lambda leaf: _in_batches(leaf, steps, batch), (plan.rows, plan.changes)
    )
    numbers = jnp.arange(steps, dtype=jnp.uint32)
    return PlanStep(rows, changes, plan.rate, plan.momentum, numbers)


def _in_batches(values: jax.Array, steps: int, batch: int) -> jax.Array:
    """Return values [n, ...] as [steps, batch, ...], filled up with zeros."""
    fill = [(0, steps * batch - len(values))] + [(0, 0)] * (values.ndim - 1)
    return jnp.pad(values, fill).reshape(steps, batch, *values.shape[1:])
