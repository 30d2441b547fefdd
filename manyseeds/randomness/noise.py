"""Noise drawn inside the graph: Threefry-2x32-20, the same bits on every backend and device.

This module is the definition, in NumPy; a backend computes the same with its own integer
operations (`noise.py` in each) and is tested to agree bit for bit.

The noise of one layer, lane and step is addressed by a key (two words, from
`randomness.streams.key`) and a counter (block, step). A block gives two words x0, x1. The words
of a step are laid out as x0 of all its blocks, then x1 of all its blocks; each word gives two
halves, the low 16 bits first. Element e of the layer's input, counted row by row over
[batch, units], takes half e: dropout and alpha dropout keep it or not, a randomised ReLU takes
its slope from it. Drop connect counts the elements of a kernel [fan_in, units] in the same way.
White noise needs more bits: a block gives it two normals, laid out as the words are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

HALVES = 1 << 16
SELU_FLOOR = -1.7580993408473768599402175208123
"""-`SELU_SCALE` `SELU_ALPHA`, what selu tends to for very negative inputs."""
_PARITY = np.uint32(0x1BD11BDA)
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry(key: Words, counter: Words) -> Words:
    """Return Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Random123").

    Parameters
    ----------
    key, counter
        Two words on the last axis; the other axes broadcast.

    Returns
    -------
    Two words on the last axis, of the broadcast shape.
    """
    schedule = (key[..., 0], key[..., 1], key[..., 0] ^ key[..., 1] ^ _PARITY)
    x0 = counter[..., 0] + schedule[0]
    x1 = counter[..., 1] + schedule[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = x0 ^ (x1 << np.uint32(rotation) | x1 >> np.uint32(32 - rotation))
        x0 = x0 + schedule[(group + 1) % 3]
        x1 = x1 + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return np.stack([x0, x1], axis=-1)


def blocks(elements: int) -> int:
    """Return how many blocks give `elements` halves."""
    return -(-elements // 4)


def halves(key: Words, step: int, elements: int) -> NDArray[np.uint16]:
    """Return the noise of a step: [lanes, elements] halves for keys [lanes, 2]."""
    count = blocks(elements)
    counter = np.stack(
        [np.arange(count, dtype=np.uint32), np.full(count, step, dtype=np.uint32)], axis=-1
    )
    words = threefry(key[:, None, :], counter[None])
    planar = np.ascontiguousarray(words.swapaxes(1, 2)).reshape(len(key), 2 * count)
    return planar.astype("<u4").view("<u2")[:, :elements]


def threshold(rate: float) -> int:
    """Return the least half that keeps an element dropped with probability `rate`."""
    return round(rate * HALVES)


def keep_scale(rate: float) -> float:
    """Return what a kept element is multiplied by: 1 / P(kept), exact for the threshold."""
    return HALVES / (HALVES - threshold(rate))


def kept(key: Words, step: int, rows: int, units: int, rate: float) -> NDArray[np.bool_]:
    """Return which elements dropout keeps: [lanes, rows, units] for keys [lanes, 2]."""
    noise = halves(key, step, rows * units)
    return (noise >= threshold(rate)).reshape(len(key), rows, units)


def alpha_affine(rate: float) -> tuple[float, float]:
    """Return a and b of alpha dropout: a x + b has the mean and variance of x under selu.

    With keep probability q and the value m = -`SELU_SCALE` `SELU_ALPHA` of what is dropped:
    a = (q + m^2 q (1-q))^(-1/2), b = -a m (1-q) (Klambauer et al. 2017, section 3).
    """
    drop = threshold(rate) / HALVES
    keep = 1 - drop
    a = (keep + SELU_FLOOR**2 * keep * drop) ** -0.5
    return a, -a * SELU_FLOOR * drop


def slopes(
    key: Words, step: int, rows: int, units: int, lower: float, upper: float
) -> NDArray[np.float64]:
    """Return the slopes of a randomised ReLU: [lanes, rows, units] for keys [lanes, 2]."""
    drawn = (halves(key, step, rows * units) + 0.5) / HALVES
    return (lower + (upper - lower) * drawn).reshape(len(key), rows, units)


def normals(key: Words, step: int, elements: int, dtype: Any = np.float64) -> NDArray[Any]:
    """Return unit normals: [lanes, elements] for keys [lanes, 2] (Box and Muller 1958).

    Of a block's words x0, x1 are made u = (x + 1/2) / 2^32 each, then
    sqrt(-2 log u0) cos(2 pi u1), and the same with the sine; first all blocks' cosines, then all
    their sines. All in the precision `dtype`.
    """
    count = normal_blocks(elements)
    counter = np.stack(
        [np.arange(count, dtype=np.uint32), np.full(count, step, dtype=np.uint32)], axis=-1
    )
    words = threefry(key[:, None, :], counter[None]).astype(dtype)
    uniform = (words + np.asarray(0.5, dtype)) * np.asarray(2.0**-32, dtype)
    radius = np.sqrt(-2 * np.log(uniform[..., 0]))
    angle = np.asarray(2 * np.pi, dtype) * uniform[..., 1]
    pairs = [radius * np.cos(angle), radius * np.sin(angle)]
    return np.concatenate(pairs, axis=1)[:, :elements]


def normal_blocks(elements: int) -> int:
    """Return how many blocks give `elements` normals."""
    return -(-elements // 2)
