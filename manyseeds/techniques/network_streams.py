"""Draws of a network and its images from the streams: first weights, noise keys, image changes."""

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
    """Draw the first weights of every lane: "layer/variable" -> [lanes, ...], float64.

    Kernels come from their layer's initialiser at the address (seed, init, network, layer); other
    variables start at their fixed first value, biases at zero.

    Parameters
    ----------
    network, features
        A network and the number of its input features.
    seeds
        Every lane's `init` seed.

    Raises
    ------
    RequestError
        A skip connection joins layers of different widths.
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
    kinds: Sequence[Augmentation],
    seeds: Sequence[int],
    epoch: int,
    count: int,
    features: int,
) -> Changes:
    """Draw the changes of an epoch's images, in the order they are seen: [lanes, count, ...].

    Parameters
    ----------
    task, epoch
        As for `manyseeds.randomness.streams.batch_order`.
    kinds
        The kinds of change, in the order they are made.
    seeds
        Every lane's `augment` seed.
    count
        Number of images.
    features
        Number of pixels in an image, which must be square.

    Raises
    ------
    RequestError
        The images are not square.
    """
    side = math.isqrt(features)
    if side * side != features:
        raise RequestError(
            f"task {task!r}: augmentation is for square images, not for {features} features"
        )
    drawn = [
        draw_changes(kinds, generator(seed, "augment", task, epoch), count, (side, side))
        for seed in seeds
    ]
    return Changes(
        *(
            np.stack([getattr(changes, name) for changes in drawn])
            for name in ("affine", "gain", "offset")
        )
    )


def noise_keys(
    network: Network, seeds: Mapping[Stream, Sequence[int]], *path: str | int
) -> Mapping[str, NDArray[np.uint32]]:
    """Return the keys of the network's noises: noise label -> [lanes, 2] words.

    Parameters
    ----------
    network
        The network; each of its noises has the address (seed, stream, network, label, path).
    seeds
        Every lane's seed of the streams `dropout` and `augment`.
    path
        The end of the address; it separates noise for different purposes, such as "mc".
    """
    return {
        label: np.stack(
            [key(seed, layer.stream, network.name, label, *path) for seed in seeds[layer.stream]]
        )
        for layer in network.layers
        for label in layer.noises(1, 1)
    }
