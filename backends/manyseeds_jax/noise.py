"""The noise of `manyseeds.noise` inside a compiled program, one lane at a time.

The same bits as the definition there, from JAX's own Threefry primitive.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.random import threefry2x32_p

from manyseeds.noise import blocks


def halves(
    keys: Mapping[str, jax.Array], step: jax.Array, elements: Mapping[str, int]
) -> dict[str, jax.Array]:
    """Return the noise of a step for one lane: layer label -> [elements] uint16.

    All layers are drawn at once, since every call of the primitive is a loop to compile and run.

    Parameters
    ----------
    keys
        One lane's keys by layer label, [2] uint32.
    step
        The second word of the counter, uint32.
    elements
        How many halves each layer takes.
    """
    counts = {label: blocks(elements[label]) for label in elements}
    if not counts:
        return {}
    first, second = (
        jnp.concatenate([jnp.full(count, keys[label][word]) for label, count in counts.items()])
        for word in (0, 1)
    )
    block = np.concatenate([np.arange(count, dtype=np.uint32) for count in counts.values()])
    words = threefry2x32_p.bind(first, second, jnp.asarray(block), jnp.full(block.shape, step))
    noise, start = {}, 0
    for label, count in counts.items():
        # x0 of all the layer's blocks, then x1 of all; of each word the low half first.
        layer = jnp.concatenate([word[start : start + count] for word in words])
        pairs = lax.bitcast_convert_type(layer, jnp.uint16)
        noise[label] = pairs.reshape(-1)[: elements[label]]
        start += count
    return noise


def dropout(
    inputs: jax.Array, noise: jax.Array, threshold: jax.Array, scale: jax.Array
) -> jax.Array:
    """Drop elements of one lane's inputs and scale up those that are kept.

    Parameters
    ----------
    inputs
        [batch, units]
    noise
        A half for each element, [batch * units] uint16.
    threshold
        The least half that keeps an element, uint16: `manyseeds.noise.threshold`.
    scale
        What a kept element is multiplied by: `manyseeds.noise.keep_scale`.
    """
    kept = noise.reshape(inputs.shape) >= threshold
    return jnp.where(kept, inputs * scale, jnp.zeros_like(inputs))
