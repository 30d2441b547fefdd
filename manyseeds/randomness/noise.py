"""Noise drawn inside the graph: Threefry-2x32-20, the same bits on every backend and device.

This module is the definition, in NumPy. A backend computes the same with its own integer
operations (its `noise.py`) and is tested to agree bit for bit.

The noise of one layer, lane and step is addressed by a key (two words, from
`randomness.streams.key`) and a counter (block, step). A block gives two words x0, x1. The words
of a step are laid out as x0 of all its blocks, then x1 of all its blocks. Each word splits into
two 16-bit halves, the low one first. Element e of the layer's input, counted row by row over
[batch, features], uses half e: dropout and alpha dropout decide by it whether to keep the element,
a randomised ReLU turns it into the element's slope. Drop connect counts the elements of a kernel
[fan_in, units] in the same way. White noise needs more bits: each block gives two normals, laid
out as the words are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

HALVES = 1 << 16
"""Number of values a 16-bit half can have."""
SELU_FLOOR = -1.7580993408473768599402175208123
"""-`SELU_SCALE` `SELU_ALPHA`: the limit of selu for very negative inputs."""
_PARITY = np.uint32(0x1BD11BDA)
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry(key: Words, counter: Words) -> Words:
    """Return the words of Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Random123").

    Parameters
    ----------
    key, counter
        Two words on the last axis; the other axes broadcast.

    Returns
    -------
    Words
        Two words on the last axis, of the broadcast shape.

    Examples
    --------
    The first known answer that Random123 publishes for this generator:

    >>> zeros = np.zeros((1, 2), dtype=np.uint32)
    >>> [f"{word:08x}" for word in threefry(zeros, zeros)[0]]
    ['6b200159', '99ba4efe']
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
    """Return the number of blocks that give `elements` halves, four to a block."""
    return -(-elements // 4)


def halves(key: Words, step: int, elements: int) -> NDArray[np.uint16]:
    """Return the halves of a step, [lanes, elements], for keys [lanes, 2]."""
    count = blocks(elements)
    words = threefry(key[:, None, :], _counters(count, step)[None])
    planar = np.ascontiguousarray(words.swapaxes(1, 2)).reshape(len(key), 2 * count)
    return planar.astype("<u4").view("<u2")[:, :elements]


def _counters(count: int, step: int) -> Words:
    """Return the counters of a step's blocks, [count, 2]: the block's number and the step's."""
    numbers = np.arange(count, dtype=np.uint32)
    return np.stack([numbers, np.full(count, step, dtype=np.uint32)], axis=-1)


def threshold(rate: float) -> int:
    """Return the smallest half at which an element dropped with probability `rate` is kept.

    >>> threshold(0.5)
    32768
    """
    return round(rate * HALVES)


def keep_scale(rate: float) -> float:
    """Return the factor of the elements that dropout keeps: 1 / P(kept), exact for the threshold.

    >>> keep_scale(0.5)
    2.0
    """
    return HALVES / (HALVES - threshold(rate))


def kept(key: Words, step: int, rows: int, units: int, rate: float) -> NDArray[np.bool_]:
    """Return the mask of dropout, True where it keeps an element: [lanes, rows, units].

    Parameters
    ----------
    key
        The layer's keys, [lanes, 2].
    step
        Number of the step in the noise counter.
    rows, units
        Shape of the layer's input in one lane; for drop connect, of the kernel.
    rate
        Probability of dropping an element.
    """
    noise = halves(key, step, rows * units)
    return (noise >= threshold(rate)).reshape(len(key), rows, units)


def alpha_affine(rate: float) -> tuple[float, float]:
    """Return a and b of alpha dropout: a x + b has the mean and variance of x under selu.

    With the probability q of keeping an element and the value m = -`SELU_SCALE` `SELU_ALPHA` of a
    dropped one: a = (q + m^2 q (1-q))^(-1/2), b = -a m (1-q) (Klambauer et al. 2017, section 3).

    >>> alpha_affine(0.0)
    (1.0, 0.0)
    """
    drop = threshold(rate) / HALVES
    keep = 1 - drop
    a = (keep + SELU_FLOOR**2 * keep * drop) ** -0.5
    return a, -a * SELU_FLOOR * drop


def slopes(
    key: Words, step: int, rows: int, units: int, lower: float, upper: float
) -> NDArray[np.float64]:
    """Return the slopes of a randomised ReLU, [lanes, rows, units], for keys [lanes, 2]."""
    uniform = (halves(key, step, rows * units) + 0.5) / HALVES
    return (lower + (upper - lower) * uniform).reshape(len(key), rows, units)


def normals(key: Words, step: int, elements: int, dtype: Any = np.float64) -> NDArray[Any]:
    """Return unit normals, [lanes, elements], for keys [lanes, 2] (Box and Muller 1958).

    Each word x of a block becomes u = (x + 1/2) / 2^32. The block's normals are
    sqrt(-2 log u0) cos(2 pi u1), and the same with the sine: first the cosines of all blocks, then
    their sines. All arithmetic is in the precision `dtype`.
    """
    words = threefry(key[:, None, :], _counters(normal_blocks(elements), step)[None]).astype(dtype)
    uniform = (words + np.asarray(0.5, dtype)) * np.asarray(2.0**-32, dtype)
    radius = np.sqrt(-2 * np.log(uniform[..., 0]))
    angle = np.asarray(2 * np.pi, dtype) * uniform[..., 1]
    pairs = [radius * np.cos(angle), radius * np.sin(angle)]
    return np.concatenate(pairs, axis=1)[:, :elements]


def normal_blocks(elements: int) -> int:
    """Return the number of blocks that give `elements` normals, two to a block."""
    return -(-elements // 2)
