"""Numeric hyperparameters as run-time arguments of a compiled program.

A program depends on a network's `structure` alone: what is numeric comes with every call, so that
it compiles nothing again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from manyseeds.network import Dense, Network
from manyseeds.noise import keep_scale, threshold
from manyseeds.optimizers import Optimizer

Knobs = Mapping[str, Any]
"""By name: arrays of no axes."""


def network_knobs(network: Network, dtype: np.dtype[Any]) -> Mapping[str, Knobs]:
    """Return the hyperparameters of every layer, by its label.

    Those of an activation have their own names and the precision `dtype`. Dropout has `threshold`,
    int32, and `scale`: see `manyseeds.noise`.
    """
    knobs: dict[str, Knobs] = {}
    for layer in network.layers:
        if isinstance(layer, Dense):
            values = layer.activation.hyperparameters()
            knobs[layer.label] = {name: np.asarray(value, dtype) for name, value in values.items()}
        else:
            knobs[layer.label] = {
                "threshold": np.asarray(threshold(layer.rate), np.int32),
                "scale": np.asarray(keep_scale(layer.rate), dtype),
            }
    return knobs


def optimizer_knobs(optimizer: Optimizer, dtype: np.dtype[Any]) -> Knobs:
    """Return the hyperparameters that do not change from step to step: not rate and momentum."""
    return {
        name: np.asarray(value, dtype)
        for name, value in optimizer.hyperparameters().items()
        if name != "momentum"
    }
