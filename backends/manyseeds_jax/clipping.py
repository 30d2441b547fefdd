"""What happens to one lane's gradient before the optimizer sees it, and to its weights after."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from manyseeds.techniques.layers import Dense
from manyseeds_jax.layout import Layout

Tree = Any
Hyperparameters = Mapping[str, Any]


def clipped(
    kind: str | None, gradient: Tree, hyperparameters: Hyperparameters, layout: Layout
) -> Tree:
    """Return a gradient, by layer and variable, clipped in a way of `techniques.clipping`.

    Parameters
    ----------
    kind
        The clipping's name, if there is one.
    hyperparameters
        Its limit.
    """
    match kind:
        case "clip_value":
            return _updated(optax.clip(hyperparameters["limit"]), gradient)
        case "global_clip_norm":
            return _updated(optax.clip_by_global_norm(hyperparameters["limit"]), gradient)
        case "clip_norm":
            # The global norm of one variable alone.
            clip = optax.clip_by_global_norm(hyperparameters["limit"])
            limited = partial(_updated, clip)
            return {
                label: jax.tree.map(layout.each(label, limited), own)
                for label, own in gradient.items()
            }
        case _:
            return gradient


def _updated(clip: optax.GradientTransformation, gradient: Tree) -> Tree:
    return clip.update(gradient, optax.EmptyState())[0]


def constrained(
    layout: Layout,
    weights: Tree,
    hyperparameters: Mapping[str, Hyperparameters],
    kept: Mapping[str, jax.Array],
) -> Tree:
    """Return weights within their layers' max-norms, with the zeros that are kept put back.

    Parameters
    ----------
    weights
        The trained ones, by layer and variable.
    hyperparameters
        Of the layers, by label.
    kept
        Which weights of a kernel [fan_in, units] are not kept at zero, by label.
    """
    found = dict(weights)
    for layer in layout.layers:
        label = layer.label
        if isinstance(layer, Dense) and layer.max_norm and label in weights:
            shorten = layout.each(label, within)
            kernel = shorten(found[label]["kernel"], hyperparameters[label]["radius"])
            found[label] = {**found[label], "kernel": kernel}
        if label in kept:
            kernel = jnp.where(kept[label], found[label]["kernel"], 0)
            found[label] = {**found[label], "kernel": kernel}
    return found


def within(kernel: jax.Array, radius: jax.Array) -> jax.Array:
    """Return a kernel [fan_in, units] whose columns are at most as long as the radius."""
    length = jnp.sqrt(jnp.sum(kernel * kernel, axis=0))
    return kernel * jnp.minimum(1, radius / length)  # radius / 0 is infinite: zeros stay
