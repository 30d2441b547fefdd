"""Weights by "layer/variable" as Flax variables, and back.

A layer's module has its label, so that a variable's place is a collection of Flax's, the label and
a name, which for batch normalisation is Flax's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from manyseeds.techniques.layers import Variable
from manyseeds.techniques.network import Weights
from manyseeds_jax.layout import Layout

Tree = Any
Variables = dict[str, dict[str, dict[str, Any]]]
"""Arrays by Flax's collection, layer and name."""

PARAMS = "params"
"""Flax's collection of what is trained."""
MOVING = "batch_stats"
"""Flax's collection of moving averages."""

_FLAX_NAMES = {
    "gamma": "scale",
    "beta": "bias",
    "moving_mean": "mean",
    "moving_variance": "var",
}


class LaneWeights(NamedTuple):
    """The weights of one lane, or with a leading axis of all, by layer and Flax's name.

    Attributes
    ----------
    trained
        What has a gradient and moves by it.
    frozen
        What would, were its layer not frozen.
    moving
        Moving averages, frozen or not.
    """

    trained: Tree
    frozen: Tree
    moving: Tree

    def variables(self) -> Variables:
        """Return Flax's variables."""
        return {PARAMS: {**self.frozen, **self.trained}, MOVING: self.moving}


def lane_weights(
    weights: Weights,
    variables: Mapping[str, Variable],
    layout: Layout,
    frozen: Collection[str],
    dtype: np.dtype[Any],
) -> LaneWeights:
    """Return weights on the host, in this layout and precision.

    Parameters
    ----------
    weights
        [lanes, ...] by "layer/variable".
    variables
        What these are.
    frozen
        The labels of the frozen layers.
    """
    found: Variables = {PARAMS: {}, MOVING: {}}
    arrays = {name: np.asarray(weights[name], dtype) for name in variables}
    for name, values in layout.stacked(arrays, axis=1).items():
        collection, label, own = _place(name, variables[name])
        found[collection].setdefault(label, {})[own] = values
    trained = found[PARAMS]
    held = {label: trained.pop(label) for label in frozen if label in trained}
    return LaneWeights(trained, held, found[MOVING])


def flat(
    found: Variables, variables: Mapping[str, Variable], layout: Layout, names: Iterable[str]
) -> dict[str, Any]:
    """Return arrays [lanes, ...] on the host by "layer/variable", in the order of these names."""
    flattened = {}
    for name in names:
        collection, label, own = _place(name, variables[name])
        first, index = layout.place(label)
        flattened[name] = np.ascontiguousarray(found[collection][first][own][index])
    return flattened


def _place(name: str, variable: Variable) -> tuple[str, str, str]:
    label, own = name.split("/")
    return PARAMS if variable.trained else MOVING, label, _FLAX_NAMES.get(own, own)
