"""Threefry-2x32-20 on the CPU, one lane at a time, as loops that Numba vectorises.

PyTorch's integer operations would take twenty passes over memory for the twenty rounds.
`device_native` compiles the loops.
"""

from __future__ import annotations

import sys
from typing import Any

import numba
from numba import uint16, uint32

_PARITY = 0x1BD11BDA
_EVEN, _ODD = (13, 15, 26, 6), (17, 29, 16, 24)
"""Bits that the rounds rotate by; the rounds alternate between the two four by four."""

_SHIFTS = (0, 8) if sys.byteorder == "little" else (8, 0)
"""Bits to shift two bytes by, so that the first comes first in memory."""

DRAW_WORDS = "void(uint32, uint32, uint32, uint32[:, ::1])"
KEEP_HALVES = "void(uint32, uint32, uint32, uint32, uint16[:, ::1])"


@numba.njit(inline="always")
def _four(x0: Any, x1: Any, rotations: Any) -> Any:
    """Return the words after four rounds."""
    for bits in rotations:
        x0 = uint32(x0 + x1)
        x1 = uint32(uint32(x1 << uint32(bits)) | uint32(x1 >> uint32(32 - bits)))
        x1 = uint32(x1 ^ x0)
    return x0, x1


@numba.njit(inline="always")
def _words(block: Any, step: Any, first: Any, second: Any) -> Any:
    """Return the words of a block."""
    # Every operation is cast to 32 bits, because Numba computes in 64 otherwise.
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


def draw_words(first: Any, second: Any, step: Any, out: Any) -> None:
    """Write the words of a step's first blocks, x0 above x1.

    Parameters
    ----------
    first, second
        The words of the key.
    step
        The second word of the counter; the first runs over the blocks.
    out
        [2, blocks].
    """
    for block in range(out.shape[1]):
        out[0, block], out[1, block] = _words(block, step, first, second)


@numba.njit(inline="always")
def _pair(word: Any, threshold: Any) -> Any:
    """Return two booleans, a byte each: whether the low and the high half reach the threshold."""
    low = uint16(uint32(word & uint32(0xFFFF)) >= threshold)
    high = uint16(uint32(word >> uint32(16)) >= threshold)
    return uint16(uint16(low << uint16(_SHIFTS[0])) | uint16(high << uint16(_SHIFTS[1])))


def keep_halves(first: Any, second: Any, step: Any, threshold: Any, out: Any) -> None:
    """Write which halves of a step's first blocks are at least the threshold.

    Parameters
    ----------
    first, second, step
        As for `draw_words`.
    threshold
        0 to 65536.
    out
        Pairs of booleans as 16 bits, [2, blocks].
    """
    for block in range(out.shape[1]):
        x0, x1 = _words(block, step, first, second)
        out[0, block], out[1, block] = _pair(x0, threshold), _pair(x1, threshold)
