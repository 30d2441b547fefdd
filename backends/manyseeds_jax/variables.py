"""Weights by "layer/variable" as Flax variables, and back.

A layer's module has its label, so that a variable's place is a collection of Flax's, the label and
a name, which for batch normalisation is Flax's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from manyseeds.layers import Variable
from manyseeds.network import Weights

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
    frozen: Collection[str],
    dtype: np.dtype[Any],
) -> LaneWeights:
    """Return weights on the host, in this precision.

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
    for name, variable in variables.items():
        collection, label, own = _place(name, variable)
        found[collection].setdefault(label, {})[own] = np.asarray(weights[name], dtype)
    trained = found[PARAMS]
    return LaneWeights(trained, {label: trained.pop(label) for label in frozen}, found[MOVING])


def flat(
    found: Variables, variables: Mapping[str, Variable], names: Iterable[str]
) -> dict[str, Any]:
    """Return arrays by "layer/variable", in the order of the names asked for."""
    places = {name: _place(name, variables[name]) for name in names}
    return {name: found[place[0]][place[1]][place[2]] for name, place in places.items()}


def _place(name: str, variable: Variable) -> tuple[str, str, str]:
    label, own = name.split("/")
    return PARAMS if variable.trained else MOVING, label, _FLAX_NAMES.get(own, own)
