"""Clipping of one lane's gradient before the optimizer, and constraints on its weights after it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from manyseeds.techniques.layers import Dense
from manyseeds_jax.network_layout import NetworkLayout

Tree = Any
Hyperparameters = Mapping[str, Any]


def clipped(
    kind: str | None, gradient: Tree, hyperparameters: Hyperparameters, layout: NetworkLayout
) -> Tree:
    """Return a gradient, clipped as `manyseeds.techniques.clipping` defines it.

    Parameters
    ----------
    kind
        The clipping's name; with None the gradient stays as it is.
    gradient
        Arrays by layer and variable.
    hyperparameters
        The clipping's "limit".
    layout
        The network's layout: every block of a repeated layer has a norm of its own.
    """
    match kind:
        case "clip_value":
            return _updated(optax.clip(hyperparameters["limit"]), gradient)
        case "global_clip_norm":
            return _updated(optax.clip_by_global_norm(hyperparameters["limit"]), gradient)
        case "clip_norm":
            # The global norm of one variable is that variable's norm.
            clip = optax.clip_by_global_norm(hyperparameters["limit"])
            limited = partial(_updated, clip)
            return {
                label: jax.tree.map(layout.per_block(label, limited), variables)
                for label, variables in gradient.items()
            }
        case _:
            return gradient


def _updated(clip: optax.GradientTransformation, gradient: Tree) -> Tree:
    return clip.update(gradient, optax.EmptyState())[0]


def constrained(
    layout: NetworkLayout,
    weights: Tree,
    hyperparameters: Mapping[str, Hyperparameters],
    nonzero: Mapping[str, jax.Array],
) -> Tree:
    """Return weights within their layers' max-norms, with the zeros of sparse kernels restored.

    Parameters
    ----------
    layout
        The network's layout.
    weights
        The trained weights by layer and variable.
    hyperparameters
        The hyperparameters of every layer, by label; a max-norm has a "radius".
    nonzero
        For kernels whose zeros stay zeros, by label: whether each weight [fan_in, units] may
        differ from 0.
    """
    result = dict(weights)
    for layer in layout.layers:
        label = layer.label
        if isinstance(layer, Dense) and layer.max_norm and label in weights:
            shorten = layout.per_block(label, shortened)
            kernel = shorten(result[label]["kernel"], hyperparameters[label]["radius"])
            result[label] = {**result[label], "kernel": kernel}
        if label in nonzero:
            kernel = jnp.where(nonzero[label], result[label]["kernel"], 0)
            result[label] = {**result[label], "kernel": kernel}
    return result


def shortened(kernel: jax.Array, radius: jax.Array) -> jax.Array:
    """Return a kernel [fan_in, units] with every column shortened to at most the radius."""
    length = jnp.sqrt(jnp.sum(kernel * kernel, axis=0))
    return kernel * jnp.minimum(1, radius / length)  # radius / 0 is infinite: zeros stay zeros
