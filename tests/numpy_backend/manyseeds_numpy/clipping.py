"""What is cut to size: gradients before the optimizer's step, kernels after it. Lane by lane."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from manyseeds.techniques.clipping import ClipNorm, Clipping, ClipValue, GlobalClipNorm
from manyseeds.techniques.layers import Dense
from manyseeds_numpy.arrays import Array, Weights, per_lane


def clipped(wanted: Clipping | None, gradients: Weights) -> Weights:
    """Return the gradients as `manyseeds.techniques.clipping` defines."""
    match wanted:
        case ClipValue(limit=limit):
            return {name: np.clip(g, -limit, limit) for name, g in gradients.items()}
        case ClipNorm(limit=limit):
            return {name: _shrunk(g, _squares(g), limit) for name, g in gradients.items()}
        case GlobalClipNorm(limit=limit):
            squares = np.sum([_squares(g) for g in gradients.values()], axis=0)
            return {name: _shrunk(g, squares, limit) for name, g in gradients.items()}
        case _:
            return gradients


def _squares(gradient: Array) -> Array:
    """Return each lane's sum of squares, [lanes]."""
    squares: Array = np.square(gradient).reshape(len(gradient), -1).sum(axis=1)
    return squares


def _shrunk(gradient: Array, squares: Array, limit: float) -> Array:
    """Return the gradient times min(1, limit / norm) of the lane's norm."""
    return gradient * per_lane(np.minimum(1, limit / np.sqrt(squares)), gradient)


def zeros(weights: Weights) -> dict[str, NDArray[np.bool_]]:
    """Return where kernels are 0, by name."""
    return {name: values == 0 for name, values in weights.items() if name.endswith("/kernel")}


def constrain(layer: Dense, weights: Weights, kept: Mapping[str, NDArray[np.bool_]]) -> None:
    """Rescale the units of a layer that are beyond its max-norm, and put back zeros, in place."""
    name = f"{layer.label}/kernel"
    kernel = weights[name]
    if layer.max_norm:
        norms = np.sqrt(np.square(kernel).sum(axis=1, keepdims=True))
        kernel *= np.minimum(1, layer.max_norm.radius / norms)
    if name in kept:
        kernel[kept[name]] = 0
