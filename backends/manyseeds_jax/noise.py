"""The noise of `manyseeds.randomness.noise` inside a compiled program, for one lane.

Its bits equal those of that definition. They come from JAX's own Threefry primitive or, for large
noises, from the rounds written out.
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
"""The noise of one layer in one step: the words x0 and x1 of its blocks, [blocks] uint32 each."""

LARGE_NOISE = 1 << 14
"""Noises of at least this many blocks are drawn on their own.

JAX's primitive is a loop that takes time to compile, so all small noises are drawn together. Each
of their blocks then needs a copy of its key. With many blocks, neither those copies nor the loop's
intermediate results fit in the CPU's cache.
"""
CHUNK_BLOCKS = 1 << 12
"""Blocks of a large noise that go through all rounds together."""

_PARITY = np.uint32(0x1BD11BDA)
_EVEN_ROTATIONS, _ODD_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
"""By how many bits the rounds rotate; groups of four rounds alternate."""
_SECOND_WORD = np.array([[False], [True]])


def words(
    keys: Mapping[str, jax.Array], step: jax.Array, counts: Mapping[str, int]
) -> dict[str, Words]:
    """Return the noises of one lane's step, by label.

    Parameters
    ----------
    keys
        The lane's keys by label, [2] uint32.
    step
        The second word of the counter, uint32.
    counts
        The number of blocks of each noise.
    """
    large = {label: count for label, count in counts.items() if count >= LARGE_NOISE}
    small = {label: count for label, count in counts.items() if count < LARGE_NOISE}
    drawn = {
        label: _large_noise(keys[label][0], keys[label][1], step, count)
        for label, count in large.items()
    }
    return drawn | _small_noises(keys, step, small)


def _small_noises(
    keys: Mapping[str, jax.Array], step: jax.Array, counts: Mapping[str, int]
) -> dict[str, Words]:
    """Return noises by label, all from one call of JAX's primitive."""
    if not counts:
        return {}
    first, second = (
        jnp.concatenate([jnp.full(count, keys[label][word]) for label, count in counts.items()])
        for word in (0, 1)
    )
    block = np.concatenate([np.arange(count, dtype=np.uint32) for count in counts.values()])
    x0, x1 = threefry2x32_p.bind(first, second, jnp.asarray(block), jnp.full(block.shape, step))
    drawn, start = {}, 0
    for label, count in counts.items():
        drawn[label] = (x0[start : start + count], x1[start : start + count])
        start += count
    return drawn


def _large_noise(first: jax.Array, second: jax.Array, step: jax.Array, count: int) -> Words:
    """Return one noise, chunk by chunk.

    The result of a loop is stored. Without one XLA would compute both words again wherever one of
    them is read; an optimisation barrier prevents that as well, but takes twice the time.
    """

    def chunk(_: None, start: jax.Array) -> tuple[None, Words]:
        block = start + jnp.arange(CHUNK_BLOCKS, dtype=jnp.uint32)
        return None, threefry(first, second, block, step)

    starts = jnp.arange(0, count, CHUNK_BLOCKS, dtype=jnp.uint32)
    _, (x0, x1) = lax.scan(chunk, None, starts)
    return x0.reshape(-1)[:count], x1.reshape(-1)[:count]


def threefry(first: jax.Array, second: jax.Array, block: jax.Array, step: jax.Array) -> Words:
    """Return Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Random123"), [blocks] each.

    Parameters
    ----------
    first, second
        The words of the key, without axes.
    block, step
        The words of the counter: the block [blocks], and the step without axes.
    """
    schedule = (first, second, first ^ second ^ _PARITY)
    x0, x1 = block + first, step + second
    for group in range(5):
        for bits in _ODD_ROTATIONS if group % 2 else _EVEN_ROTATIONS:
            x0 = x0 + x1
            x1 = x0 ^ ((x1 << np.uint32(bits)) | (x1 >> np.uint32(32 - bits)))
        x0 = x0 + schedule[(group + 1) % 3]
        x1 = x1 + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return x0, x1


def halves(noise: Words, shape: tuple[int, ...]) -> jax.Array:
    """Return the first 16-bit halves of a noise as an array of this shape, uint16."""
    # Select x0 or x1: XLA would not vectorise a concatenation together with what follows it.
    planes = jnp.where(_SECOND_WORD, noise[1], noise[0])
    return _leading(lax.bitcast_convert_type(planes, jnp.uint16), shape)  # low half first


def normals(noise: Words, shape: tuple[int, ...], dtype: np.dtype[Any]) -> jax.Array:
    """Return the first unit normals of a noise as an array of this shape."""
    u0, u1 = ((word.astype(dtype) + 0.5) * 2.0**-32 for word in noise)
    radius, angle = jnp.sqrt(-2 * jnp.log(u0)), 2 * np.pi * u1
    # The sine is the cosine a quarter turn earlier; this avoids a concatenation, as in `halves`.
    turns = np.pi / 2 * _SECOND_WORD.astype(dtype)
    return _leading(radius * jnp.cos(angle - turns), shape)


def _leading(values: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Return the leading elements of an array in another shape."""
    return values.reshape(-1)[: math.prod(shape)].reshape(shape)


def keep_mask(noise: Words, shape: tuple[int, ...], threshold: jax.Array) -> jax.Array:
    """Return which elements of an array are kept: those whose half is at least the threshold.

    Parameters
    ----------
    noise
        The noise, with a half for each element.
    shape
        The shape of the array.
    threshold
        int32; see `manyseeds.randomness.noise.threshold`.
    """
    return halves(noise, shape).astype(jnp.int32) >= threshold


def dropout(values: jax.Array, noise: Words, threshold: jax.Array, scale: jax.Array) -> jax.Array:
    """Drop elements of one lane's inputs or of a kernel, and scale up the others.

    Parameters
    ----------
    values
        [batch, units] or [fan_in, units]
    noise, threshold
        As for `keep_mask`.
    scale
        The factor of the elements that are kept; see `manyseeds.randomness.noise.keep_scale`.
    """
    mask = keep_mask(noise, values.shape, threshold)
    return jnp.where(mask, values * scale, jnp.zeros_like(values))


def alpha_dropout(
    values: jax.Array, noise: Words, threshold: jax.Array, a: jax.Array, b: jax.Array
) -> jax.Array:
    """Return a x + b for elements that are kept and a m + b for the others.

    See `manyseeds.techniques.layers.AlphaDropout`.

    Parameters
    ----------
    values, noise, threshold
        As for `dropout`.
    a, b
        See `manyseeds.randomness.noise.alpha_affine`.
    """
    mask = keep_mask(noise, values.shape, threshold)
    return jnp.where(mask, a * values + b, a * SELU_FLOOR + b)


def slopes(noise: Words, shape: tuple[int, ...], lower: jax.Array, upper: jax.Array) -> jax.Array:
    """Return the slopes of a randomised ReLU, between two bounds, as an array of this shape."""
    uniform = (halves(noise, shape).astype(lower.dtype) + 0.5) / HALVES
    return lower + (upper - lower) * uniform
