"""What one lane says of a piece of a split: losses, right answers and outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import xlog1py, xlogy

from manyseeds.backend import Split
from manyseeds.network import Loss
from manyseeds_jax import network as networks
from manyseeds_jax.network import Knobs, Noise
from manyseeds_jax.training import LaneModel
from manyseeds_jax.variables import Variables

Array = Any
"""Of JAX or, before it is put on the device, of NumPy."""


class Piece(NamedTuple):
    """Rows that are scored together; pieces of one shape share a program, whatever their split.

    Attributes
    ----------
    inputs, labels
        [rows, features] and [rows] or [rows, units]; the last piece of a split ends with zeros,
        but that which is sampled from is smaller: the noise of a row depends on how many there are.
    counted
        How many rows count.
    """

    inputs: Array
    labels: Array
    counted: Array


class Sampled(NamedTuple):
    """How a piece is scored with dropout on, as `manyseeds.backend.Sampling` defines it.

    Attributes
    ----------
    samples
        How many.
    block, blocks
        Which block of the split the piece is, and how many blocks there are.
    """

    samples: jax.Array
    block: jax.Array
    blocks: jax.Array


class Scored(NamedTuple):
    """Sums of losses and of right answers, and the outputs [rows, units]."""

    loss: jax.Array
    right: jax.Array
    outputs: jax.Array


def pieces(
    split: Split, rows: int, dtype: np.dtype[Any], labels: np.dtype[Any], *, filled: bool
) -> Iterator[Piece]:
    """Yield a split in pieces of so many rows, on the host; the last one filled up or smaller."""
    for start in range(0, len(split), rows):
        part = slice(start, start + rows)
        count = min(rows, len(split) - start)
        columns = (split.inputs[part].astype(dtype), split.labels[part].astype(labels))
        missing = rows - count if filled else 0
        padding = [[(0, missing)] + [(0, 0)] * (each.ndim - 1) for each in columns]
        inputs, known = (np.pad(*each) for each in zip(columns, padding, strict=True))
        yield Piece(inputs, known, np.asarray(count, np.int32))


def evaluated(model: LaneModel, variables: Variables, piece: Piece, knobs: Knobs) -> Scored:
    """Score a piece as a model predicts."""
    kind = model.network.loss
    logits = networks.predict(model.layout, variables, piece.inputs, knobs).logits
    outputs = networks.probabilities(kind, logits)
    return _scored(kind, networks.losses(kind, logits, piece.labels), outputs, piece)


def sampled(
    model: LaneModel,
    variables: Variables,
    keys: dict[str, jax.Array],
    piece: Piece,
    how: Sampled,
    knobs: Knobs,
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
        found = networks.predict(model.layout, variables, piece.inputs, knobs, noise)
        return total + networks.probabilities(kind, found.logits)

    zeros = jnp.zeros((len(piece.inputs), units), piece.inputs.dtype)
    mean = jax.lax.fori_loop(0, how.samples, add, zeros) / how.samples
    return _scored(kind, _losses_of(kind, mean, piece.labels), mean, piece)


def _scored(kind: Loss, losses: jax.Array, outputs: jax.Array, piece: Piece) -> Scored:
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
