"""What a network and its images draw from the streams: first weights, noise keys, image changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from manyseeds.errors import RequestError
from manyseeds.randomness.streams import Stream, generator, key
from manyseeds.techniques.augmentation import Augmentation, Changes, draw_changes
from manyseeds.techniques.network import Network


def initial_weights(
    network: Network, features: int, seeds: Sequence[int]
) -> dict[str, NDArray[np.float64]]:
    """Draw first weights for the lanes of `seeds`: "layer/variable" -> [lanes, ...], float64.

    Kernels come from their layer's initialiser at (seed, init, network, layer); other variables
    start at their first value (biases at zero).
    """
    network.check_skips(features)
    initialisers = {layer.label: layer.initialiser for layer in network.dense()}
    weights: dict[str, NDArray[np.float64]] = {}
    for name, variable in network.variables(features).items():
        if variable.first is not None:
            weights[name] = np.full((len(seeds), *variable.shape), variable.first)
            continue
        label = name.split("/")[0]
        fan_in, fan_out = variable.shape
        weights[name] = np.stack(
            [
                initialisers[label].draw(
                    generator(seed, "init", network.name, label), (fan_in, fan_out)
                )
                for seed in seeds
            ]
        )
    return weights


def image_changes(
    task: str,
    wanted: Sequence[Augmentation],
    seeds: Sequence[int],
    epoch: int,
    count: int,
    features: int,
) -> Changes:
    """Draw what becomes of the images of an epoch, in the order they are seen: [lanes, count, ...].

    Parameters
    ----------
    task, epoch
        As for `batch_order`.
    wanted
        Kinds of change, in order.
    seeds
        Each lane's `augment` seed.
    count
        How many images.
    features
        Of an image, which must be square.

    Raises
    ------
    RequestError
        An example is no square image.
    """
    side = math.isqrt(features)
    if side * side != features:
        raise RequestError(
            f"task {task!r}: augmentation is for square images, not for {features} features"
        )
    drawn = [
        draw_changes(wanted, generator(seed, "augment", task, epoch), count, (side, side))
        for seed in seeds
    ]
    return Changes(
        *(
            np.stack([getattr(each, name) for each in drawn])
            for name in ("affine", "gain", "offset")
        )
    )


def noise_keys(
    network: Network, seeds: Mapping[Stream, Sequence[int]], *path: str | int
) -> Mapping[str, NDArray[np.uint32]]:
    """Return the keys of the network's noises: label -> [lanes, 2].

    Parameters
    ----------
    network
        Each of its noises has the address (seed, the layer's stream, network, label, path).
    seeds
        Each lane's seed of the streams `dropout` and `augment`.
    path
        What tells noise of another purpose apart.
    """
    return {
        label: np.stack(
            [key(seed, layer.stream, network.name, label, *path) for seed in seeds[layer.stream]]
        )
        for layer in network.layers
        for label in layer.noises(1, 1)
    }
