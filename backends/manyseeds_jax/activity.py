"""Statistics of one lane's layer outputs: mean, standard deviation and share of dead units."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from manyseeds_jax.losses import probabilities
from manyseeds_jax.network_variables import LaneWeights
from manyseeds_jax.training import Trainer, inputs_of
from manyseeds_jax.training_arrays import DeviceBatch, SharedArrays


def activity(
    trainer: Trainer,
    training: bool,
    weights: LaneWeights,
    batch: DeviceBatch,
    shared: SharedArrays,
) -> dict[str, jax.Array]:
    """Return the activity of every layer on a batch, by label, in the network's layout.

    Parameters
    ----------
    trainer
        The lane's training.
    training
        Whether the network is in training mode; otherwise it predicts.
    weights, batch, shared
        The lane's arrays.

    Returns
    -------
    Mean, standard deviation and dead share, [3]; see `manyseeds.backend.values.Activity`.
    """
    network = trainer.network
    if training:
        outputs = trainer.outputs(weights, batch, shared, _measured)
    else:
        inputs, variables = inputs_of(batch, shared), weights.variables()
        outputs = network.predict(variables, inputs, shared.network, observe=_measured)
    predictions = probabilities(network.definition.loss, outputs.logits)
    return outputs.observed | {network.definition.output.label: _measured(predictions)}


def _measured(values: jax.Array) -> jax.Array:
    """Return the three numbers of one layer's outputs [batch, units], as means over the units."""
    mean, sd = jnp.mean(values, axis=0), jnp.std(values, axis=0)
    dead = jnp.all(values == 0, axis=0)
    return jnp.stack([jnp.mean(units, dtype=values.dtype) for units in (mean, sd, dead)])
