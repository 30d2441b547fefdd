"""What one lane says of a piece of a split: losses, right answers and outputs."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import xlog1py, xlogy

from manyseeds.backend.row_blocks import RowBlock, SamplePlace
from manyseeds.techniques.network import Loss
from manyseeds_jax import network as networks
from manyseeds_jax.network import Hyperparameters, Noise
from manyseeds_jax.training import LaneModel
from manyseeds_jax.variables import Variables


class Scored(NamedTuple):
    """Sums of losses and of right answers, and the outputs [rows, units]."""

    loss: jax.Array
    right: jax.Array
    outputs: jax.Array


def evaluated(
    model: LaneModel, variables: Variables, piece: RowBlock, hyperparameters: Hyperparameters
) -> Scored:
    """Score a piece as a model predicts."""
    kind = model.network.loss
    logits = networks.predict(model.layout, variables, piece.inputs, hyperparameters).logits
    outputs = networks.probabilities(kind, logits)
    return _scored(kind, networks.losses(kind, logits, piece.labels), outputs, piece)


def sampled(
    model: LaneModel,
    variables: Variables,
    keys: dict[str, jax.Array],
    piece: RowBlock,
    how: SamplePlace,
    hyperparameters: Hyperparameters,
) -> Scored:
    """Score a piece by the mean of samples with dropout on.

    Parameters
    ----------
    keys
        Of the noises that are drawn, [2] by label.
    """
    kind, units = model.network.loss, model.network.output.units

    def add(sample: jax.Array, total: jax.Array) -> jax.Array:
        noise = Noise(keys, (sample * how.blocks + how.block).astype(jnp.uint32))
        found = networks.predict(model.layout, variables, piece.inputs, hyperparameters, noise)
        return total + networks.probabilities(kind, found.logits)

    zeros = jnp.zeros((len(piece.inputs), units), piece.inputs.dtype)
    mean = jax.lax.fori_loop(0, how.samples, add, zeros) / how.samples
    return _scored(kind, _losses_of(kind, mean, piece.labels), mean, piece)


def _scored(kind: Loss, losses: jax.Array, outputs: jax.Array, piece: RowBlock) -> Scored:
    """Return the sums over the rows that count."""
    counts = jnp.arange(len(losses)) < piece.counted
    right = networks.correct(kind, outputs, piece.labels) & counts
    return Scored(jnp.sum(jnp.where(counts, losses, 0)), jnp.sum(right, dtype=jnp.int32), outputs)


def _losses_of(kind: Loss, outputs: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the loss of every example, [batch], from the outputs themselves."""
    if kind == "sparse_cross_entropy":
        return -jnp.log(jnp.take_along_axis(outputs, labels[:, None], axis=1)[:, 0])
    if kind == "binary_cross_entropy":
        positive = outputs[:, 0]
        return -(xlogy(labels, positive) + xlog1py(1 - labels, -positive))
    return networks.losses(kind, outputs, labels)
