"""Noise drawn inside the graph: Threefry-2x32-20, the same bits on every backend and device.

This module is the definition, in NumPy; a backend computes the same with its own integer
operations (`noise.py` in each) and is tested to agree bit for bit.

The noise of one layer, lane and step is addressed by a key (two words, from
`manyseeds.streams.key`) and a counter (block, step). A block gives two words x0, x1. The words
of a step are laid out as x0 of all its blocks, then x1 of all its blocks; each word gives two
halves, the low 16 bits first. Element e of the layer's input, counted row by row over
[batch, units], takes half e.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

HALVES = 1 << 16
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
