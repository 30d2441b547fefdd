"""Repeated layers as one: their variables, hyperparameters and noise are stacked.

A compiled program knows but the first of every repetition, which stands for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from manyseeds.backend.repeated_layers import LayerRun
from manyseeds.techniques.network import Network

Tree = Any


def standing(network: Network, found: Sequence[LayerRun]) -> Network:
    """Return the network of the layers that stand for all."""
    layers = [layer for run in found for layer in run.block]
    return network.model_copy(update={"layers": (*layers, network.output)})


@dataclass(frozen=True)
class Stacks:
    """Which layers lie in stacks.

    Attributes
    ----------
    members
        The labels of all repetitions of a layer, by that of the first; none of other layers.
    """

    members: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, found: Sequence[LayerRun]) -> Stacks:
        """Return the stacks of a network's runs."""
        return cls(
            {layer.label: run.labels(layer) for run in found if run.repeated for layer in run.block}
        )

    def stacked(self, tree: Mapping[str, Tree], axis: int = 1) -> dict[str, Tree]:
        """Return nests of arrays by the labels that stand for all.

        Parameters
        ----------
        tree
            By "label" or "label/what".
        axis
            Where the repetitions come.
        """
        others = {label for members in self.members.values() for label in members[1:]}
        found = {}
        for name, value in tree.items():
            label, *what = name.split("/")
            if label in self.members:
                each = [tree["/".join((member, *what))] for member in self.members[label]]
                found[name] = tf.nest.map_structure(lambda *own: np.stack(own, axis), *each)
            elif label not in others:
                found[name] = value
        return found

    def apart(self, tree: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return arrays [lanes, repetitions, ...] by the labels of all repetitions."""
        found: dict[str, NDArray[Any]] = {}
        for name, value in tree.items():
            label, *what = name.split("/")
            if label in self.members:
                names = ("/".join((member, *what)) for member in self.members[label])
                found |= {own: value[:, place] for place, own in enumerate(names)}
            else:
                found[name] = value
        return found
