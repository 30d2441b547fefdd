"""Repeated layers as one: their variables, hyperparameters and noise keys are stacked.

A compiled program knows only the first layer of every repetition, which represents all of them.
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


def representatives(network: Network, runs: Sequence[LayerRun]) -> Network:
    """Return the network of the layers that represent all, from the runs of a network."""
    layers = [layer for run in runs for layer in run.block]
    return network.model_copy(update={"layers": (*layers, network.output)})


@dataclass(frozen=True)
class Stacks:
    """The repeated layers of a network.

    Attributes
    ----------
    members
        The labels of all repetitions of a layer, by the first one's label; only repeated layers.
    """

    members: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, runs: Sequence[LayerRun]) -> Stacks:
        """Return the stacks of a network's runs."""
        return cls(
            {layer.label: run.labels(layer) for run in runs if run.repeated for layer in run.block}
        )

    def stack(self, tree: Mapping[str, Tree], axis: int = 1) -> dict[str, Tree]:
        """Return nests of arrays by the labels of the layers that represent all.

        Parameters
        ----------
        tree
            Nests of arrays by "label" or "label/name".
        axis
            The position of the repetitions' axis.
        """
        others = {label for members in self.members.values() for label in members[1:]}
        stacked = {}
        for name, value in tree.items():
            label, *rest = name.split("/")
            if label in self.members:
                values = [tree["/".join((member, *rest))] for member in self.members[label]]
                stacked[name] = tf.nest.map_structure(lambda *own: np.stack(own, axis), *values)
            elif label not in others:
                stacked[name] = value
        return stacked

    def unstack(self, tree: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return arrays [lanes, repetitions, ...] by the labels of all repetitions."""
        unstacked: dict[str, NDArray[Any]] = {}
        for name, value in tree.items():
            label, *rest = name.split("/")
            if label in self.members:
                names = ("/".join((member, *rest)) for member in self.members[label])
                unstacked |= {own: value[:, place] for place, own in enumerate(names)}
            else:
                unstacked[name] = value
        return unstacked
