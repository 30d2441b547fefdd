"""What leaves the layers of one lane, in numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from manyseeds_jax import network as networks
from manyseeds_jax.training import LaneBatch, LaneModel, Shared, inputs_of
from manyseeds_jax.variables import LaneWeights


def activity(
    model: LaneModel, training: bool, weights: LaneWeights, batch: LaneBatch, shared: Shared
) -> dict[str, jax.Array]:
    """Return mean, sd and dead units of `manyseeds.backend.values.Activity`, [3], in a layout."""
    if training:
        found = model.outputs(weights, batch, shared, _moments)
    else:
        inputs = inputs_of(batch, shared)
        variables, hyperparameters = weights.variables(), shared.network
        found = networks.predict(model.layout, variables, inputs, hyperparameters, observe=_moments)
    output = networks.probabilities(model.network.loss, found.logits)
    return found.observed | {model.network.output.label: _moments(output)}


def _moments(values: jax.Array) -> jax.Array:
    """Return the three numbers of one layer's outputs [batch, units]."""
    mean, sd = jnp.mean(values, axis=0), jnp.std(values, axis=0)
    dead = jnp.all(values == 0, axis=0)
    return jnp.stack([jnp.mean(each, dtype=values.dtype) for each in (mean, sd, dead)])
