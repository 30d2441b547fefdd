"""What leaves the layers: mean, spread and dead units."""

from __future__ import annotations

import numpy as np

from manyseeds.backend.values import Activity
from manyseeds.techniques.network import Network
from manyseeds_numpy.arrays import Array, Weights
from manyseeds_numpy.layers import Mode
from manyseeds_numpy.losses import predictions
from manyseeds_numpy.network import forward


def moments(network: Network, weights: Weights, inputs: Array, mode: Mode) -> dict[str, Array]:
    """Return mean, sd and share of dead units of what leaves each layer, [lanes, 3], by label."""
    outputs = forward(network, weights, inputs, mode).outputs
    label = network.output.label
    outputs[label] = predictions(network.loss, outputs[label])
    return {layer.label: _moments(outputs[layer.label]) for layer in network.layers}


def _moments(values: Array) -> Array:
    """Return the three of values [lanes, rows, units]."""
    mean = values.mean(axis=1, dtype=np.float64)
    sd = values.std(axis=1, dtype=np.float64)
    dead = (values == 0).all(axis=1)
    return np.stack([mean.mean(axis=1), sd.mean(axis=1), dead.mean(axis=1)], axis=1)


def activities(lanes: list[dict[str, Array]]) -> dict[str, Activity]:
    """Put the moments of some lanes together."""
    together = {label: np.concatenate([lane[label] for lane in lanes]) for label in lanes[0]}
    return {label: Activity(*values.T) for label, values in together.items()}
