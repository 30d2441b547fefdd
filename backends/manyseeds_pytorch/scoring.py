"""Scores of lanes on a split, block by block in bounded memory; also by Monte Carlo dropout."""

from __future__ import annotations

import torch
from torch import Tensor

from manyseeds.backend.values import SAMPLING_ROWS, Sampling
from manyseeds.techniques.layers import AlphaDropout, Dropout
from manyseeds_pytorch.device import OpenDevice
from manyseeds_pytorch.layers import ForwardPass
from manyseeds_pytorch.losses import probabilities
from manyseeds_pytorch.network import LaneNetwork
from manyseeds_pytorch.noise import network_noise
from manyseeds_pytorch.scoring_sums import ScoreBlock, ScoreSums


@torch.inference_mode()
def score(
    network: LaneNetwork, inputs: Tensor, labels: Tensor, sums: ScoreSums, device: OpenDevice
) -> None:
    """Add the scores of all lanes' predictions.

    Parameters
    ----------
    network
        A network in every lane.
    inputs, labels
        A split, [n, features] and [n, ...].
    sums
        Receives the scores.
    device
        Bounds the memory.
    """
    most_rows = max(1, device.activation_elements // network.widest)
    for lanes, rows in network.blocks(len(inputs), most_rows, device.activation_elements):
        logits = network.select(lanes).logits(_in_lanes(inputs[rows], lanes), ForwardPass())
        sums.add_logits(ScoreBlock(lanes, rows, _in_lanes(labels[rows], lanes)), logits)


@torch.inference_mode()
def sample(
    network: LaneNetwork,
    inputs: Tensor,
    labels: Tensor,
    sums: ScoreSums,
    sampling: Sampling,
    device: OpenDevice,
) -> None:
    """Add the scores of all lanes' mean predictions with dropout on.

    Parameters
    ----------
    network, inputs, labels, sums, device
        As for `score`.
    sampling
        Number of samples, and the keys of the noise.
    """
    dropouts = [
        layer.label
        for layer in network.definition.layers
        if isinstance(layer, Dropout | AlphaDropout)
    ]
    blocks = -(-len(inputs) // SAMPLING_ROWS)
    for lanes, rows in network.blocks(len(inputs), SAMPLING_ROWS, device.activation_elements):
        noise = network_noise({name: sampling.noise[name][lanes] for name in dropouts}, device)
        steps = range(rows.start // SAMPLING_ROWS, blocks * sampling.samples, blocks)
        passes = [ForwardPass(dropout=True, noise=noise, step=step) for step in steps]
        mean = _mean_prediction(network.select(lanes), _in_lanes(inputs[rows], lanes), passes)
        sums.add_probabilities(ScoreBlock(lanes, rows, _in_lanes(labels[rows], lanes)), mean)


def _mean_prediction(network: LaneNetwork, inputs: Tensor, passes: list[ForwardPass]) -> Tensor:
    """Return the mean of the predictions of several passes, [lanes, batch, units]."""
    kind = network.definition.loss
    total = torch.zeros((), device=inputs.device, dtype=inputs.dtype)
    for forward_pass in passes:
        total = total + probabilities(kind, network.logits(inputs, forward_pass))
    return total / len(passes)


def _in_lanes(values: Tensor, lanes: slice) -> Tensor:
    """Return values [n, ...] repeated in every lane, [lanes, n, ...], without copying them."""
    return values.expand(lanes.stop - lanes.start, *values.shape)
