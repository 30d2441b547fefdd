"""The noise of `manyseeds.noise` inside a compiled program, one lane at a time.

The same bits as the definition there, from JAX's own Threefry primitive.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.random import threefry_2x32

from manyseeds.noise import blocks


def words(key: jax.Array, step: jax.Array, count: int) -> jax.Array:
    """Return the words of a step: x0 of all `count` blocks, then x1 of all, [2 count] uint32.

    Parameters
    ----------
    key
        One lane's key, [2] uint32.
    step
        The second word of the counter, uint32.
    count
        How many blocks; the first word of the counter runs over them.
    """
    block = jnp.arange(count, dtype=jnp.uint32)
    # The primitive takes its first counter word from the first half of what it is given.
    counters = jnp.concatenate([block, jnp.full_like(block, step)])
    return threefry_2x32((key[0], key[1]), counters)


def halves(key: jax.Array, step: jax.Array, elements: int) -> jax.Array:
    """Return the noise of a step for one lane: [elements] uint16."""
    pairs = lax.bitcast_convert_type(words(key, step, blocks(elements)), jnp.uint16)
    return pairs.reshape(-1)[:elements]


def dropout(
    inputs: jax.Array, key: jax.Array, step: jax.Array, threshold: jax.Array, scale: jax.Array
) -> jax.Array:
    """Drop elements of one lane's inputs and scale up those that are kept.

    Parameters
    ----------
    inputs
        [batch, units]
    key, step
        As for `words`.
    threshold
        The least half that keeps an element, uint16: `manyseeds.noise.threshold`.
    scale
        What a kept element is multiplied by: `manyseeds.noise.keep_scale`.
    """
    kept = halves(key, step, inputs.size).reshape(inputs.shape) >= threshold
    return jnp.where(kept, inputs * scale, jnp.zeros_like(inputs))
