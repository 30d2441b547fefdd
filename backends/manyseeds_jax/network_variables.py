"""Conversion of weights by "layer/variable" to Flax variables and back.

A layer's Flax module has the layer's label, so that a variable is found by Flax's collection, the
label and a name; batch normalisation uses Flax's own names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from manyseeds.techniques.layers import Variable
from manyseeds.techniques.network import Weights
from manyseeds_jax.network_layout import NetworkLayout

Tree = Any
Variables = dict[str, dict[str, dict[str, Any]]]
"""Arrays by Flax's collection, layer and name."""

PARAMS = "params"
"""Flax's collection of trained variables."""
AVERAGES = "batch_stats"
"""Flax's collection of moving averages."""

_FLAX_NAMES = {
    "gamma": "scale",
    "beta": "bias",
    "moving_mean": "mean",
    "moving_variance": "var",
}


class LaneWeights(NamedTuple):
    """The weights of one lane or, with a leading axis, of all lanes; by layer and Flax's name.

    Attributes
    ----------
    trained
        The weights the optimizer updates.
    frozen
        The weights of frozen layers, which it would update otherwise.
    averages
        Moving averages, of frozen layers too.
    """

    trained: Tree
    frozen: Tree
    averages: Tree

    def variables(self) -> Variables:
        """Return the weights as Flax's variables."""
        return {PARAMS: {**self.frozen, **self.trained}, AVERAGES: self.averages}


def lane_weights(
    weights: Weights,
    variables: Mapping[str, Variable],
    layout: NetworkLayout,
    frozen: Collection[str],
    dtype: np.dtype[Any],
) -> LaneWeights:
    """Return weights in a network's layout, on the host.

    Parameters
    ----------
    weights
        [lanes, ...] by "layer/variable".
    variables
        The network's variables by the same names.
    layout
        The network's layout.
    frozen
        The labels of the frozen layers.
    dtype
        The precision of the result.
    """
    collections: Variables = {PARAMS: {}, AVERAGES: {}}
    arrays = {name: np.asarray(weights[name], dtype) for name in variables}
    for name, values in layout.stacked(arrays, axis=1).items():
        collection, label, flax_name = _flax_path(name, variables[name])
        collections[collection].setdefault(label, {})[flax_name] = values
    trained = collections[PARAMS]
    untrained = {label: trained.pop(label) for label in frozen if label in trained}
    return LaneWeights(trained, untrained, collections[AVERAGES])


def named_arrays(
    arrays: Variables,
    variables: Mapping[str, Variable],
    layout: NetworkLayout,
    names: Iterable[str],
) -> dict[str, Any]:
    """Return host arrays [lanes, ...] by "layer/variable".

    Parameters
    ----------
    arrays
        [lanes, ...] in the layout.
    variables, layout
        As for `lane_weights`.
    names
        The variables to return, in this order.
    """
    by_name = {}
    for name in names:
        collection, label, flax_name = _flax_path(name, variables[name])
        first, index = layout.place(label)
        by_name[name] = np.ascontiguousarray(arrays[collection][first][flax_name][index])
    return by_name


def _flax_path(name: str, variable: Variable) -> tuple[str, str, str]:
    """Return the collection, the layer's label and the name under which Flax has a variable."""
    label, own_name = name.split("/")
    collection = PARAMS if variable.trained else AVERAGES
    return collection, label, _FLAX_NAMES.get(own_name, own_name)
