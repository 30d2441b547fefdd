"""What the kernels of a network cost: l1 sum |w| + l2 sum w^2 of those that have a penalty."""

from __future__ import annotations

import numpy as np

from manyseeds.techniques.network import Network
from manyseeds_numpy.arrays import Array, Weights


def penalties(network: Network, weights: Weights) -> tuple[Array | None, Weights]:
    """Return the sum of all penalties, [lanes], None without any; and its gradient by kernel."""
    total: Array | None = None
    gradients: Weights = {}
    for layer in network.dense():
        if layer.penalty:
            kernel = weights[f"{layer.label}/kernel"]
            factors = layer.penalty.hyperparameters()
            l1, l2 = factors.get("l1", 0.0), factors.get("l2", 0.0)
            cost = (l1 * np.abs(kernel) + l2 * kernel**2).sum(axis=(1, 2))
            total = cost if total is None else total + cost
            gradients[f"{layer.label}/kernel"] = l1 * np.sign(kernel) + 2 * l2 * kernel
    return total, gradients
