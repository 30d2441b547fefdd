"""Real-valued hyperparameters as run-time arguments of a compiled program.

A program depends on the `structure` of a network alone. Real numbers are passed with every call,
so that changing one compiles nothing again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from manyseeds.randomness.noise import alpha_affine, keep_scale, threshold
from manyseeds.techniques.clipping import Clipping
from manyseeds.techniques.layers import ActivationLayer, AlphaDropout, Dense, Dropout, Layer
from manyseeds.techniques.network import Network
from manyseeds.techniques.optimizers import Optimizer
from manyseeds.techniques.technique import Technique

Hyperparameters = Mapping[str, Any]
"""Hyperparameters by name: arrays without axes."""


def network_hyperparameters(
    network: Network, dtype: np.dtype[Any]
) -> Mapping[str, Hyperparameters]:
    """Return the hyperparameters of every layer, by the layer's label.

    The hyperparameters of a layer, of its activation, its penalty (l1, l2) and its constraint
    (radius) keep their names and have the precision `dtype`. A dropout rate becomes `threshold`
    (int32) and `scale`, that of alpha dropout `threshold`, `a` and `b`, that of drop connect
    `drop_threshold` and `drop_scale`: see `manyseeds.randomness.noise`.
    """
    return {layer.label: _hyperparameters(layer, dtype) for layer in network.layers}


def _hyperparameters(layer: Layer, dtype: np.dtype[Any]) -> Hyperparameters:
    match layer:
        case Dense():
            parts = (layer.activation, layer.penalty, layer.max_norm)
            hyperparameters = {
                name: value for part in parts for name, value in _own(part, dtype).items()
            }
            connect = layer.drop_connect
            return hyperparameters | (_dropping(connect.rate, dtype, "drop_") if connect else {})
        case ActivationLayer():
            return _own(layer.function, dtype)
        case Dropout():
            return _dropping(layer.rate, dtype)
        case AlphaDropout():
            a, b = (np.asarray(value, dtype) for value in alpha_affine(layer.rate))
            return {"threshold": np.asarray(threshold(layer.rate), np.int32), "a": a, "b": b}
        case _:
            return _own(layer, dtype)


def _own(part: Technique | None, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return a technique's hyperparameters as arrays; of None, nothing."""
    numbers = part.hyperparameters() if part else {}
    return {name: np.asarray(number, dtype) for name, number in numbers.items()}


def _dropping(rate: float, dtype: np.dtype[Any], prefix: str = "") -> dict[str, Any]:
    """Return a dropout rate as the threshold of kept halves and the scale of kept elements."""
    return {
        f"{prefix}threshold": np.asarray(threshold(rate), np.int32),
        f"{prefix}scale": np.asarray(keep_scale(rate), dtype),
    }


def optimizer_hyperparameters(optimizer: Optimizer, dtype: np.dtype[Any]) -> Hyperparameters:
    """Return the hyperparameters that do not change from step to step: all but the momentum."""
    return {name: value for name, value in _own(optimizer, dtype).items() if name != "momentum"}


def clipping_hyperparameters(clipping: Clipping | None, dtype: np.dtype[Any]) -> Hyperparameters:
    """Return the limit of gradient clipping; nothing for a phase without clipping."""
    return _own(clipping, dtype)
