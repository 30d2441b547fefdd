"""Where the arrays of a deep network lie: those of equal layers in a row are one array.

A compiled program takes such layers as one loop, and moves them as one: it hardly grows with depth.
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
class Layout:
    """The runs of a network's layers, the last up to the logits.

    The arrays of a repeated run have the labels of its first block, and an axis of its blocks more:
    the first of one lane's.
    """

    runs: tuple[LayerRun, ...]

    @classmethod
    def of(cls, network: Network, features: int, frozen: Collection[str]) -> Layout:
        """Return the layout of a network in training, some of whose layers are frozen."""
        found = layer_runs(network, features, frozen)
        # Losses, and the probabilities that go with them, are computed from the logits.
        logits = (network.output.model_copy(update={"activation": Linear()}),)
        if found and not found[-1].repeated:
            *found_below, last = found
            return cls((*found_below, LayerRun(((*last.block, *logits),), last.below)))
        below = found[-1].blocks[-1][-1].label if found else INPUT
        return cls((*found, LayerRun((logits,), below)))

    def name(self) -> Hashable:
        """Return what distinguishes it from other layouts of networks of the same structure."""
        return tuple((len(run.block), len(run.blocks)) for run in self.runs)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Those whose labels arrays have."""
        return tuple(layer for run in self.runs for layer in run.block)

    @cached_property
    def repeated(self) -> Mapping[str, tuple[str, ...]]:
        """The labels in all blocks of what is repeated, by that in the first."""
        return {
            layer.label: run.labels(layer)
            for run in self.runs
            if run.repeated
            for layer in run.block
        }

    def place(self, label: str) -> tuple[str, Any]:
        """Return a layer's label in the layout, and its index into arrays [lanes, ...] there."""
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

    def each(self, label: str, function: Callable[..., Tree]) -> Callable[..., Tree]:
        """Return a function of one layer's arrays that takes those of all blocks where it has some.

        Their axis comes first: arrays are one lane's.
        """
        return jax.vmap(function) if label in self.repeated else function

    def stacked(self, found: Mapping[str, Tree], axis: int) -> dict[str, Tree]:
        """Return arrays on the host in this layout, the axis of the blocks at this place.

        Parameters
        ----------
        found
            By the labels of layers, or by names that start with them: "layer/kernel".
        """
        stacked = {}
        for name, tree in found.items():
            label, slash, own = name.partition("/")
            if label in self.repeated:
                blocks = [found[f"{each}{slash}{own}"] for each in self.repeated[label]]
                stacked[name] = jax.tree.map(lambda *leaves: np.stack(leaves, axis), *blocks)
            elif label not in self._places:
                stacked[name] = tree
        return stacked
