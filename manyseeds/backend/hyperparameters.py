"""Numeric hyperparameters as run-time arguments of a compiled program.

A program depends on a network's `structure` alone: what is a real number comes with every call,
so that it compiles nothing again.
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
"""By name: arrays of no axes."""


def network_hyperparameters(
    network: Network, dtype: np.dtype[Any]
) -> Mapping[str, Hyperparameters]:
    """Return the hyperparameters of every layer, by its label.

    Those of a layer, of its activation, its penalty (l1, l2) and its constraint (radius) have their
    own names and the precision `dtype`. A rate of dropping has become `threshold`, int32, and
    `scale`, for alpha dropout `a` and `b`; that of drop connect is `drop_threshold` and
    `drop_scale`: see `manyseeds.randomness.noise`.
    """
    return {layer.label: _hyperparameters(layer, dtype) for layer in network.layers}


def _hyperparameters(layer: Layer, dtype: np.dtype[Any]) -> Hyperparameters:
    match layer:
        case Dense():
            parts = (layer.activation, layer.penalty, layer.max_norm)
            hyperparameters = {
                name: each for part in parts for name, each in _own(part, dtype).items()
            }
            dropped = layer.drop_connect
            return hyperparameters | (_dropping(dropped.rate, dtype, "drop_") if dropped else {})
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
    return (
        {name: np.asarray(v, dtype) for name, v in part.hyperparameters().items()} if part else {}
    )


def _dropping(rate: float, dtype: np.dtype[Any], prefix: str = "") -> dict[str, Any]:
    return {
        f"{prefix}threshold": np.asarray(threshold(rate), np.int32),
        f"{prefix}scale": np.asarray(keep_scale(rate), dtype),
    }


def optimizer_hyperparameters(optimizer: Optimizer, dtype: np.dtype[Any]) -> Hyperparameters:
    """Return the hyperparameters that do not change from step to step: not rate and momentum."""
    return {name: v for name, v in _own(optimizer, dtype).items() if name != "momentum"}


def clipping_hyperparameters(clipping: Clipping | None, dtype: np.dtype[Any]) -> Hyperparameters:
    """Return the limit of a clipping, if there is one."""
    return _own(clipping, dtype)
