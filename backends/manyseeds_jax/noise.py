"""The noise of `manyseeds.randomness.noise` inside a compiled program, one lane at a time.

The same bits as the definition there: from JAX's own Threefry primitive, or its rounds one by one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.random import threefry2x32_p

from manyseeds.randomness.noise import HALVES, SELU_FLOOR

Words = tuple[jax.Array, jax.Array]
"""One noise of a step: the words x0 of all its blocks, and their x1; [blocks] uint32 each."""

DRAWN_ALONE = 1 << 14
"""Blocks from which on a noise is drawn by itself.

The primitive is a loop, which takes time to compile, so that small noises are drawn together. But
then each block brings a key of its own, which with many blocks no longer fit in the CPU's cache.
Nor does what the loop writes down in every turn.
"""
CHUNK = 1 << 12
"""Blocks of such a noise that go through all rounds together."""

_PARITY = np.uint32(0x1BD11BDA)
_EVEN, _ODD = (13, 15, 26, 6), (17, 29, 16, 24)
"""By how many bits the rounds rotate, four by four in turn."""


def words(
    keys: Mapping[str, jax.Array], step: jax.Array, counts: Mapping[str, int]
) -> dict[str, Words]:
    """Return the noise of a step for one lane, by label.

    Parameters
    ----------
    keys
        One lane's keys by label, [2] uint32.
    step
        The second word of the counter, uint32.
    counts
        How many blocks each noise takes.
    """
    large = {label: count for label, count in counts.items() if count >= DRAWN_ALONE}
    small = {label: count for label, count in counts.items() if count < DRAWN_ALONE}
    alone = {
        label: _alone(keys[label][0], keys[label][1], step, count) for label, count in large.items()
    }
    return alone | _together(keys, step, small)


def _together(
    keys: Mapping[str, jax.Array], step: jax.Array, counts: Mapping[str, int]
) -> dict[str, Words]:
    if not counts:
        return {}
    first, second = (
        jnp.concatenate([jnp.full(count, keys[label][word]) for label, count in counts.items()])
        for word in (0, 1)
    )
    block = np.concatenate([np.arange(count, dtype=np.uint32) for count in counts.values()])
    x0, x1 = threefry2x32_p.bind(first, second, jnp.asarray(block), jnp.full(block.shape, step))
    found, start = {}, 0
    for label, count in counts.items():
        found[label] = (x0[start : start + count], x1[start : start + count])
        start += count
    return found


def _alone(first: jax.Array, second: jax.Array, step: jax.Array, count: int) -> Words:
    """Return the words of a large noise: chunk by chunk, its rounds one by one.

    A loop's result is written down. Else XLA would have everybody who looks at one of the words
    compute both anew; an optimisation barrier keeps it from that, too, at twice the time.
    """

    def chunk(_: None, start: jax.Array) -> tuple[None, Words]:
        block = start + jnp.arange(CHUNK, dtype=jnp.uint32)
        return None, threefry(first, second, block, step)

    starts = jnp.arange(0, count, CHUNK, dtype=jnp.uint32)
    _, (x0, x1) = lax.scan(chunk, None, starts)
    return x0.reshape(-1)[:count], x1.reshape(-1)[:count]


def threefry(first: jax.Array, second: jax.Array, block: jax.Array, step: jax.Array) -> Words:
    """Return Threefry-2x32 with 20 rounds of counters [blocks] (Salmon et al. 2011, "Random123").

    Parameters
    ----------
    first, second
        The words of the key, no axes.
    block, step
        The words of the counter; the step has no axes.
    """
    schedule = (first, second, first ^ second ^ _PARITY)
    x0, x1 = block + first, step + second
    for group in range(5):
        for bits in _ODD if group % 2 else _EVEN:
            x0 = x0 + x1
            x1 = x0 ^ ((x1 << np.uint32(bits)) | (x1 >> np.uint32(32 - bits)))
        x0 = x0 + schedule[(group + 1) % 3]
        x1 = x1 + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return x0, x1


_SECOND = np.array([[False], [True]])


def halves(noise: Words, shape: tuple[int, ...]) -> jax.Array:
    """Return the first halves of a noise as an array of this shape, uint16."""
    # x0, then x1: a concatenation, which XLA would not vectorise together with what follows it.
    planes = jnp.where(_SECOND, noise[1], noise[0])
    return _first(lax.bitcast_convert_type(planes, jnp.uint16), shape)  # of a word the low half


def normals(noise: Words, shape: tuple[int, ...], dtype: np.dtype[Any]) -> jax.Array:
    """Return the first unit normals of a noise as an array of this shape."""
    u0, u1 = ((word.astype(dtype) + 0.5) * 2.0**-32 for word in noise)
    radius, angle = jnp.sqrt(-2 * jnp.log(u0)), 2 * np.pi * u1
    # The sine is the cosine a quarter of a turn before: as above no concatenation.
    turns = np.pi / 2 * _SECOND.astype(dtype)
    return _first(radius * jnp.cos(angle - turns), shape)


def _first(values: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return values.reshape(-1)[: math.prod(shape)].reshape(shape)


def kept(noise: Words, shape: tuple[int, ...], threshold: jax.Array) -> jax.Array:
    """Return which elements are kept; `threshold`, int32, is the least half that keeps one."""
    return halves(noise, shape).astype(jnp.int32) >= threshold


def dropout(values: jax.Array, noise: Words, threshold: jax.Array, scale: jax.Array) -> jax.Array:
    """Drop elements of one lane's inputs, or of a kernel, and scale up those that are kept.

    Parameters
    ----------
    values
        [batch, units] or [fan_in, units]
    noise
        With a half for each element.
    threshold
        The least half that keeps an element: `manyseeds.randomness.noise.threshold`.
    scale
        What a kept element is multiplied by: `manyseeds.randomness.noise.keep_scale`.
    """
    return jnp.where(kept(noise, values.shape, threshold), values * scale, jnp.zeros_like(values))


def alpha_dropout(
    values: jax.Array, noise: Words, threshold: jax.Array, a: jax.Array, b: jax.Array
) -> jax.Array:
    """Return a x + b where an element is kept, else a m + b: see `techniques.layers.AlphaDropout`.

    Parameters
    ----------
    values, noise, threshold
        As for `dropout`.
    a, b
        `manyseeds.randomness.noise.alpha_affine`.
    """
    return jnp.where(kept(noise, values.shape, threshold), a * values + b, a * SELU_FLOOR + b)


def slopes(noise: Words, shape: tuple[int, ...], lower: jax.Array, upper: jax.Array) -> jax.Array:
    """Return the slopes of a randomised ReLU as an array of this shape."""
    drawn = (halves(noise, shape).astype(lower.dtype) + 0.5) / HALVES
    return lower + (upper - lower) * drawn
