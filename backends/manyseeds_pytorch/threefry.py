"""Threefry-2x32-20 on the CPU, a lane at a time: a loop that Numba turns into vector instructions.

PyTorch's integer operations would take twenty passes over memory for the twenty rounds.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numba import uint16, uint32
from numpy.typing import NDArray

from manyseeds_pytorch.native import native

_PARITY = 0x1BD11BDA
_EVEN, _ODD = (13, 15, 26, 6), (17, 29, 16, 24)
"""By how many bits the rounds rotate, four by four in turn."""

_SHIFTS = (0, 8) if sys.byteorder == "little" else (8, 0)
"""By how many bits to shift two bytes for the first to come first in memory."""


@native(inline="always")
def _four(x0: Any, x1: Any, rotations: Any) -> Any:
    """Return the words after four rounds."""
    for bits in rotations:
        x0 = uint32(x0 + x1)
        x1 = uint32(uint32(x1 << uint32(bits)) | uint32(x1 >> uint32(32 - bits)))
        x1 = uint32(x1 ^ x0)
    return x0, x1


@native(inline="always")
def _words(block: Any, step: Any, first: Any, second: Any) -> Any:
    """Return the words of a block."""
    # Every operation is rounded to 32 bits: Numba, left alone, computes in 64.
    third = uint32(first ^ second ^ uint32(_PARITY))
    x0, x1 = uint32(uint32(block) + first), uint32(step + second)
    x0, x1 = _four(x0, x1, _EVEN)
    x0, x1 = uint32(x0 + second), uint32(x1 + third + uint32(1))
    x0, x1 = _four(x0, x1, _ODD)
    x0, x1 = uint32(x0 + third), uint32(x1 + first + uint32(2))
    x0, x1 = _four(x0, x1, _EVEN)
    x0, x1 = uint32(x0 + first), uint32(x1 + second + uint32(3))
    x0, x1 = _four(x0, x1, _ODD)
    x0, x1 = uint32(x0 + second), uint32(x1 + third + uint32(4))
    x0, x1 = _four(x0, x1, _EVEN)
    return uint32(x0 + third), uint32(x1 + first + uint32(5))


@native("void(uint32, uint32, uint32, uint32[:, ::1])")
def _draw(first: Any, second: Any, step: Any, out: Any) -> None:
    for block in range(out.shape[1]):
        out[0, block], out[1, block] = _words(block, step, first, second)


@native(inline="always")
def _pair(word: Any, threshold: Any) -> Any:
    """Return two booleans, a byte each: is the word's low half large enough, and its high half."""
    low = uint16(uint32(word & uint32(0xFFFF)) >= threshold)
    high = uint16(uint32(word >> uint32(16)) >= threshold)
    return uint16(uint16(low << uint16(_SHIFTS[0])) | uint16(high << uint16(_SHIFTS[1])))


@native("void(uint32, uint32, uint32, uint32, uint16[:, ::1])")
def _keep(first: Any, second: Any, step: Any, threshold: Any, out: Any) -> None:
    for block in range(out.shape[1]):
        x0, x1 = _words(block, step, first, second)
        out[0, block], out[1, block] = _pair(x0, threshold), _pair(x1, threshold)


def draw(key: NDArray[np.uint32], step: int, out: NDArray[np.uint32]) -> None:
    """Write the words of a step's first blocks, x0 above x1: [2, blocks].

    Parameters
    ----------
    key
        [2].
    step
        The second word of the counter, uint32; the first runs over the blocks.
    """
    _draw(key[0], key[1], np.uint32(step), out)


def keep(key: NDArray[np.uint32], step: int, threshold: int, out: NDArray[np.bool_]) -> None:
    """Write which halves of a step's first blocks are at least the threshold: [4 blocks].

    Parameters
    ----------
    key, step
        As for `draw`.
    threshold
        0 to 65536.
    """
    pairs = out.view(np.uint16).reshape(2, -1)
    _keep(key[0], key[1], np.uint32(step), np.uint32(threshold), pairs)
