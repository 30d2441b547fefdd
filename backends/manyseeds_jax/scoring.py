"""Scores of a block of rows, by prediction or by sampling; and the means over a split's blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manyseeds.backend.row_blocks import RowBlock, SamplePlace
from manyseeds.backend.values import Compilation, Metric, Scores
from manyseeds.techniques.network import Loss
from manyseeds_jax.losses import correct, losses, losses_of_probabilities, probabilities
from manyseeds_jax.network import Hyperparameters, LaneNetwork, StepNoise
from manyseeds_jax.network_variables import Variables


class BlockScores(NamedTuple):
    """The scores of one block of rows.

    Attributes
    ----------
    loss, right
        The sum of the losses, and the number of rows classified correctly.
    outputs
        Probabilities, or the predictions of a linear output, [rows, outputs].
    """

    loss: jax.Array
    right: jax.Array
    outputs: jax.Array


def score(
    network: LaneNetwork, variables: Variables, block: RowBlock, hyperparameters: Hyperparameters
) -> BlockScores:
    """Score one lane on a block by a plain prediction.

    Parameters
    ----------
    network, variables, hyperparameters
        The lane's network, its weights and its numbers.
    block
        The rows.
    """
    kind = network.definition.loss
    logits = network.predict(variables, block.inputs, hyperparameters).logits
    outputs = probabilities(kind, logits)
    return _block_scores(kind, losses(kind, logits, block.labels), outputs, block)


def sample(
    network: LaneNetwork,
    variables: Variables,
    keys: dict[str, jax.Array],
    block: RowBlock,
    place: SamplePlace,
    hyperparameters: Hyperparameters,
) -> BlockScores:
    """Score one lane on a block by the mean of samples with dropout on.

    Parameters
    ----------
    network, variables, hyperparameters
        As for `score`.
    keys
        The keys of dropout and alpha dropout, [2] by label.
    block
        The rows.
    place
        The number of samples, and the block's place in the noise counter.
    """
    kind, units = network.definition.loss, network.definition.output.units

    def add(sample: jax.Array, total: jax.Array) -> jax.Array:
        noise = StepNoise(keys, (sample * place.blocks + place.block).astype(jnp.uint32))
        logits = network.predict(variables, block.inputs, hyperparameters, noise).logits
        return total + probabilities(kind, logits)

    zeros = jnp.zeros((len(block.inputs), units), block.inputs.dtype)
    mean = jax.lax.fori_loop(0, place.samples, add, zeros) / place.samples
    return _block_scores(kind, losses_of_probabilities(kind, mean, block.labels), mean, block)


def _block_scores(
    kind: Loss, row_losses: jax.Array, outputs: jax.Array, block: RowBlock
) -> BlockScores:
    """Return the sums over the rows that count."""
    counts = jnp.arange(len(row_losses)) < block.counted
    right = correct(kind, outputs, block.labels) & counts
    loss = jnp.sum(jnp.where(counts, row_losses, 0))
    return BlockScores(loss, jnp.sum(right, dtype=jnp.int32), outputs)


def split_scores(
    blocks: Sequence[BlockScores],
    rows: int,
    metrics: Sequence[Metric],
    *,
    probabilities: bool,
    compilation: Compilation,
) -> Scores:
    """Return the scores of a whole split.

    Parameters
    ----------
    blocks
        The scores of its blocks on the host, [lanes, ...].
    rows
        Number of rows in the split.
    metrics, probabilities
        The scores to return.
    compilation
        The programs compiled for scoring it.
    """
    sums: dict[Metric, Any] = {
        "loss": np.array([block.loss for block in blocks], np.float64),
        "accuracy": np.array([block.right for block in blocks]),
    }
    means = {str(key): np.asarray(np.sum(sums[key], axis=0) / rows, float) for key in metrics}
    outputs = [block.outputs for block in blocks] if probabilities else []
    joined = np.concatenate(outputs, axis=1)[:, :rows] if probabilities else None
    return Scores(means, joined, compilation.seconds, compilation.programs)
