"""The l1 and l2 penalties of one lane's kernels."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from manyseeds.techniques.layers import Dense
from manyseeds.techniques.network import Network
from manyseeds_jax.network_layout import NetworkLayout


def has_penalty(network: Network) -> bool:
    """Return whether any kernel of a network has a penalty."""
    return any(layer.penalty for layer in network.dense())


def penalty(
    layout: NetworkLayout,
    weights: Mapping[str, Any],
    hyperparameters: Mapping[str, Mapping[str, Any]],
) -> jax.Array:
    """Return the sum of a network's penalties; the network must have at least one.

    |w| is computed as w sign(w), whose derivative at 0 is 0; that of `jax.numpy.abs` is 1 there.

    Parameters
    ----------
    layout
        The network's layout.
    weights
        Kernels [fan_in, units] and biases by layer and name.
    hyperparameters
        The penalties' factors, "l1" and "l2", by layer and name.
    """
    terms = []
    for layer in layout.layers:
        if not isinstance(layer, Dense) or not layer.penalty:
            continue
        kernel, factors = weights[layer.label]["kernel"], hyperparameters[layer.label]
        sums = layout.per_block(layer.label, jnp.sum)
        if "l1" in factors:
            terms.append(jnp.sum(factors["l1"] * sums(kernel * jnp.sign(kernel))))
        if "l2" in factors:
            terms.append(jnp.sum(factors["l2"] * sums(kernel * kernel)))
    return functools.reduce(operator.add, terms)
