"""Folding of batch normalisation into the dense layers beside it: same outputs, fewer layers.

With sigma = sqrt(moving variance + epsilon), a batch normalisation is x -> s x + t for each unit,
where s = gamma / sigma and t = beta - s moving mean. After a linear dense layer it folds backward
into that layer (W s, s b + t); after an activation or the input it folds forward into the next
dense layer (W' = diag(s) W, b' = b + t W). Géron 2019, ch. 11, "the cost of batch normalisation".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.errors import RequestError
from manyseeds.techniques.layers import BatchNorm, Dense, Layer, Skip
from manyseeds.techniques.network import Network, Weights

Array = NDArray[np.floating[Any]]


def folded(network: Network, weights: Weights) -> tuple[Network, Weights]:
    """Return the network without its batch normalisation, and that network's weights.

    Parameters
    ----------
    network, weights
        A network and its weights, "layer/variable" -> [lanes, ...]; neither is changed.

    Raises
    ------
    RequestError
        A batch normalisation has no neighbour that it could fold into.
    """
    layers, values = list(network.layers), dict(weights)
    while (index := _first_batch_norm(layers)) is not None:
        layer = layers[index]
        assert isinstance(layer, BatchNorm)
        scale, shift = _affine(layer, values)
        target, backward = _neighbour(network, layers, index)
        kernel, bias = f"{target.label}/kernel", f"{target.label}/bias"
        old = values[kernel]
        own = values.get(bias, np.zeros((len(old), target.units), old.dtype))
        if backward:
            values[kernel] = old * scale[:, None, :]
            values[bias] = scale * own + shift
        else:
            values[kernel] = scale[:, :, None] * old
            values[bias] = own + np.einsum("lf,lfu->lu", shift, old)
        layers[layers.index(target)] = target.model_copy(update={"bias": True})
        del layers[index]
    whole = network.model_copy(update={"layers": tuple(layers)})
    return whole, {name: values[name] for name in whole.shapes(1)}


def check_foldable(network: Network) -> None:
    """Refuse a network whose batch normalisation cannot be folded away.

    Raises
    ------
    ValueError
        The network has none, or one has no neighbour that it could fold into.
    """
    layers = list(network.layers)
    if _first_batch_norm(layers) is None:
        raise ValueError(f"network {network.name!r} has no batch normalisation to fold")
    while (index := _first_batch_norm(layers)) is not None:
        try:
            _neighbour(network, layers, index)
        except RequestError as error:
            raise ValueError(str(error)) from None
        del layers[index]


def _first_batch_norm(layers: Sequence[Layer]) -> int | None:
    return next((index for index, layer in enumerate(layers) if isinstance(layer, BatchNorm)), None)


def _affine(layer: BatchNorm, weights: Weights) -> tuple[Array, Array]:
    """Return s and t of a batch normalisation, [lanes, units] each."""
    gamma, beta, mean, variance = (
        weights[f"{layer.label}/{name}"]
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - scale * mean


def _neighbour(network: Network, layers: Sequence[Layer], index: int) -> tuple[Dense, bool]:
    """Return the dense layer that a batch normalisation folds into, and whether it lies below.

    Layers of dropout and noise in between do not matter: in prediction they do nothing.
    """
    tapped = {layer.of for layer in layers if isinstance(layer, Skip)}
    below = _first_that_acts(layers[:index][::-1])
    above = _first_that_acts(layers[index + 1 :])
    if layers[index].label not in tapped:
        if isinstance(below, Dense) and _is_linear(below) and below.label not in tapped:
            return below, True
        if isinstance(above, Dense):
            return above, False
    raise RequestError(
        f"network {network.name!r}: layer {layers[index].label!r} cannot be folded: it needs a "
        "linear dense layer right below it, or a dense layer right above it"
    )


def _is_linear(layer: Dense) -> bool:
    return layer.activation.name == "linear"


def _first_that_acts(layers: Sequence[Layer]) -> Layer | None:
    """Return the first layer that changes its inputs in prediction."""
    idle = ("dropout", "alpha_dropout", "gaussian_noise")
    return next((layer for layer in layers if layer.name not in idle), None)
