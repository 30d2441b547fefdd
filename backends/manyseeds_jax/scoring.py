"""What one lane says of a split: losses, right answers and probabilities, piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import xlog1py, xlogy

from manyseeds.backend import SAMPLING_ROWS
from manyseeds.network import Loss
from manyseeds_jax import network as networks
from manyseeds_jax.network import Noise
from manyseeds_jax.training import LaneModel, Shared
from manyseeds_jax.variables import Variables

Piece = tuple[jax.Array, ...]


class Scored(NamedTuple):
    """Sums of losses and right answers, [pieces] each, and the outputs [rows, ...] where wanted."""

    loss: jax.Array
    right: jax.Array
    outputs: list[jax.Array]


def evaluated(
    model: LaneModel, rows: int, outputs: bool, variables: Variables, shared: Shared
) -> Scored:
    """Score a split as a model predicts, so many rows at a time; with the outputs or not."""
    kind = model.network.loss

    def score(piece: jax.Array, inputs: jax.Array, labels: jax.Array) -> Piece:
        del piece
        logits = networks.predict(model.layout, variables, inputs, shared.network).logits
        found = networks.probabilities(kind, logits)
        right = jnp.sum(networks.correct(kind, found, labels), dtype=jnp.int32)
        loss = jnp.sum(networks.losses(kind, logits, labels))
        return (loss, right, found) if outputs else (loss, right)

    return _by_pieces(score, rows, shared)


def sampled(
    model: LaneModel,
    outputs: bool,
    variables: Variables,
    keys: dict[str, jax.Array],
    shared: Shared,
    samples: jax.Array,
) -> Scored:
    """Score a split with dropout on, as `manyseeds.backend.Sampling` defines it.

    Parameters
    ----------
    keys
        Of the noises that are drawn, [2] by label.
    samples
        How many.
    """
    kind, units = model.network.loss, model.network.output.units
    pieces = -(-len(shared.inputs) // SAMPLING_ROWS)

    def score(piece: jax.Array, inputs: jax.Array, labels: jax.Array) -> Piece:
        def add(sample: jax.Array, total: jax.Array) -> jax.Array:
            step = (sample * pieces + piece).astype(jnp.uint32)
            noise = Noise(keys, step)
            found = networks.predict(model.layout, variables, inputs, shared.network, noise)
            return total + networks.probabilities(kind, found.logits)

        zeros = jnp.zeros((len(inputs), units), inputs.dtype)
        mean = jax.lax.fori_loop(0, samples, add, zeros) / samples
        right = jnp.sum(networks.correct(kind, mean, labels), dtype=jnp.int32)
        loss = jnp.sum(_losses_of(kind, mean, labels))
        return (loss, right, mean) if outputs else (loss, right)

    return _by_pieces(score, SAMPLING_ROWS, shared)


def _losses_of(kind: Loss, outputs: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the loss of every example, [batch], from the outputs themselves."""
    if kind == "sparse_cross_entropy":
        return -jnp.log(jnp.take_along_axis(outputs, labels[:, None], axis=1)[:, 0])
    if kind == "binary_cross_entropy":
        positive = outputs[:, 0]
        return -(xlogy(labels, positive) + xlog1py(1 - labels, -positive))
    return networks.losses(kind, outputs, labels)


def _by_pieces(score: Callable[..., Piece], rows: int, shared: Shared) -> Scored:
    """Score so many rows of a split at a time, and then what is left, by the piece's number."""
    columns = (shared.inputs, shared.labels)
    full = len(shared.inputs) // rows
    parts: list[Piece] = []
    if full:
        whole = [c[: full * rows].reshape(full, rows, *c.shape[1:]) for c in columns]
        numbers = jnp.arange(full, dtype=jnp.int32)
        parts.append(jax.lax.map(lambda piece: score(*piece), (numbers, *whole)))
    if full * rows < len(shared.inputs):
        last = score(jnp.int32(full), *(column[full * rows :] for column in columns))
        parts.append(tuple(value[None] for value in last))
    loss, right = (jnp.concatenate([part[index] for part in parts]) for index in (0, 1))
    found = [part[2].reshape(-1, part[2].shape[-1]) for part in parts if part[2:]]
    return Scored(loss, right, found)
