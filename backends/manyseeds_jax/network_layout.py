"""The layout of a deep network's arrays: those of equal layers in a row are stacked into one.

A compiled program runs such layers as one loop and updates them as one array: its size hardly
grows with depth.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np

from manyseeds.backend.repeated_layers import LayerRun, layer_runs
from manyseeds.techniques.activations import Linear
from manyseeds.techniques.layers import Layer
from manyseeds.techniques.network import INPUT, Network

Tree = Any


@dataclass(frozen=True)
class NetworkLayout:
    """A network's layers in runs, and the place of each layer's arrays.

    The arrays of a repeated run have the labels of its first block and an additional axis: the
    blocks. It is the first axis of one lane's arrays.

    Attributes
    ----------
    runs
        From the inputs upwards; the last one ends with the output layer's logits.
    """

    runs: tuple[LayerRun, ...]

    @classmethod
    def of(cls, network: Network, features: int, frozen: Collection[str]) -> NetworkLayout:
        """Return the layout of a network in training.

        Parameters
        ----------
        network
            The network.
        features
            The width of its inputs.
        frozen
            The labels of its frozen layers.
        """
        runs = layer_runs(network, features, frozen)
        # Losses and probabilities are computed from the logits.
        logits = (network.output.model_copy(update={"activation": Linear()}),)
        if runs and not runs[-1].repeated:
            *lower, last = runs
            return cls((*lower, LayerRun(((*last.block, *logits),), last.below)))
        below = runs[-1].blocks[-1][-1].label if runs else INPUT
        return cls((*runs, LayerRun((logits,), below)))

    def signature(self) -> Hashable:
        """Return a value that differs between the layouts of networks of the same structure."""
        return tuple((len(run.block), len(run.blocks)) for run in self.runs)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers whose labels the arrays have: the first block of every run."""
        return tuple(layer for run in self.runs for layer in run.block)

    @cached_property
    def repeated(self) -> Mapping[str, tuple[str, ...]]:
        """For every layer of a repeated run's first block, its labels in all blocks."""
        return {
            layer.label: run.labels(layer)
            for run in self.runs
            if run.repeated
            for layer in run.block
        }

    def place(self, label: str) -> tuple[str, Any]:
        """Return the label a layer's arrays have, and the layer's index into them [lanes, ...]."""
        if label not in self._places:
            return label, ...
        first, block = self._places[label]
        return first, np.index_exp[:, block]

    @cached_property
    def _places(self) -> Mapping[str, tuple[str, int]]:
        return {
            label: (first, block)
            for first, labels in self.repeated.items()
            for block, label in enumerate(labels)
        }

    def per_block(self, label: str, function: Callable[..., Tree]) -> Callable[..., Tree]:
        """Map a function of one layer's arrays over the blocks, if the layer is repeated.

        Parameters
        ----------
        label
            The label the arrays have.
        function
            Takes one lane's arrays of one layer.
        """
        return jax.vmap(function) if label in self.repeated else function

    def stacked(self, trees: Mapping[str, Tree], axis: int) -> dict[str, Tree]:
        """Return host arrays in this layout.

        Parameters
        ----------
        trees
            Arrays by the labels of layers, or by names that start with them: "layer/kernel".
        axis
            The position of the blocks' axis.
        """
        stacked = {}
        for name, tree in trees.items():
            label, slash, own_name = name.partition("/")
            if label in self.repeated:
                blocks = [trees[f"{block}{slash}{own_name}"] for block in self.repeated[label]]
                stacked[name] = jax.tree.map(lambda *leaves: np.stack(leaves, axis), *blocks)
            elif label not in self._places:
                stacked[name] = tree
        return stacked
