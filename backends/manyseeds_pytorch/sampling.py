"""Monte Carlo dropout: predictions with dropout on, averaged on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from manyseeds.backend.values import SAMPLING_ROWS, Sampling
from manyseeds.techniques.layers import AlphaDropout, Dropout
from manyseeds_pytorch.device import Placement
from manyseeds_pytorch.network import Stack
from manyseeds_pytorch.noise import network_noise
from manyseeds_pytorch.outputs import Logits, Predictions
from manyseeds_pytorch.run import Run
from manyseeds_pytorch.scoring import Tally, pieces


@torch.inference_mode()
def score_samples(
    stack: Stack,
    inputs: Tensor,
    labels: Tensor,
    tally: Tally,
    sampling: Sampling,
    where: Placement,
) -> None:
    """Count the mean predictions of all lanes on inputs [n, features]."""
    labelled = [
        layer.label for layer in stack.network.layers if isinstance(layer, Dropout | AlphaDropout)
    ]
    blocks = -(-len(inputs) // SAMPLING_ROWS)
    for lanes, rows in pieces(stack, len(inputs), SAMPLING_ROWS, where):
        seen = inputs[rows].expand(lanes.stop - lanes.start, -1, -1)
        noise = network_noise({name: sampling.noise[name][lanes] for name in labelled}, where)
        steps = range(rows.start // SAMPLING_ROWS, blocks * sampling.samples, blocks)
        runs = [Run(dropping=True, noise=noise, step=step) for step in steps]
        mean = _mean(stack.part(lanes), seen, runs)
        tally.add(lanes, rows, Predictions(stack.network.loss, mean), labels)


def _mean(stack: Stack, inputs: Tensor, runs: list[Run]) -> Tensor:
    """Return the mean of what leaves the output in some runs, [lanes, batch, units]."""
    total = torch.zeros((), device=inputs.device, dtype=inputs.dtype)
    for run in runs:
        total = total + Logits(stack.network.loss, stack.logits(inputs, run)).predictions()
    return total / len(runs)
