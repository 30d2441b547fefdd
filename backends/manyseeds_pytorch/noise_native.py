"""The noise loops as the device compiled them, and the loop that transposes booleans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import uint64
from numpy.typing import NDArray

_BYTES = uint64(0x00FF00FF00FF00FF)
_PAIRS = uint64(0x0000FFFF0000FFFF)
_FOURS = uint64(0x00000000FFFFFFFF)

TRANSPOSE_BYTES = "void(uint64[:, ::1], uint64[:, ::1])"


@dataclass(frozen=True)
class NoiseLoops:
    """Loops that draw noise on the CPU, compiled.

    Attributes
    ----------
    draw, keep
        `noise_threefry.draw_words` and `noise_threefry.keep_halves`.
    transpose
        `transpose_bytes`.
    """

    draw: Callable[..., None]
    keep: Callable[..., None]
    transpose: Callable[..., None]

    def draw_words(self, key: NDArray[np.uint32], step: int, out: NDArray[np.uint32]) -> None:
        """Write the words of a step's first blocks, x0 above x1: [2, blocks].

        Parameters
        ----------
        key
            [2].
        step
            The second word of the counter, uint32; the first runs over the blocks.
        out
            [2, blocks].
        """
        self.draw(key[0], key[1], np.uint32(step), out)

    def keep_halves(
        self, key: NDArray[np.uint32], step: int, threshold: int, out: NDArray[np.bool_]
    ) -> None:
        """Write which halves of a step's first blocks are at least the threshold.

        Parameters
        ----------
        key, step
            As for `draw_words`.
        threshold
            0 to 65536.
        out
            [4 blocks].
        """
        pairs = out.view(np.uint16).reshape(2, -1)
        self.keep(key[0], key[1], np.uint32(step), np.uint32(threshold), pairs)

    def transpose_mask(self, matrix: NDArray[np.bool_], out: NDArray[np.bool_]) -> None:
        """Write the transpose of a matrix of booleans, twice as fast as NumPy does.

        Parameters
        ----------
        matrix, out
            Matrices whose numbers of rows and of columns are multiples of 8.
        """
        self.transpose(matrix.view(np.uint64), out.view(np.uint64))


@numba.njit(inline="always")
def _swapped(upper: Any, lower: Any, bits: Any, mask: Any) -> Any:
    """Exchange the upper word's higher parts and the lower word's lower parts."""
    both = uint64(uint64(uint64(upper >> bits) ^ lower) & mask)
    return uint64(upper ^ uint64(both << bits)), uint64(lower ^ both)


def transpose_bytes(matrix: Any, out: Any) -> None:
    """Transpose bytes, eight by eight in eight words (Warren, "Hacker's Delight", 7-3)."""
    for column in range(matrix.shape[1]):
        for row in range(0, matrix.shape[0], 8):
            a, b = matrix[row, column], matrix[row + 1, column]
            c, d = matrix[row + 2, column], matrix[row + 3, column]
            e, f = matrix[row + 4, column], matrix[row + 5, column]
            g, h = matrix[row + 6, column], matrix[row + 7, column]
            bits = uint64(8)
            a, b = _swapped(a, b, bits, _BYTES)
            c, d = _swapped(c, d, bits, _BYTES)
            e, f = _swapped(e, f, bits, _BYTES)
            g, h = _swapped(g, h, bits, _BYTES)
            bits = uint64(16)
            a, c = _swapped(a, c, bits, _PAIRS)
            b, d = _swapped(b, d, bits, _PAIRS)
            e, g = _swapped(e, g, bits, _PAIRS)
            f, h = _swapped(f, h, bits, _PAIRS)
            bits = uint64(32)
            a, e = _swapped(a, e, bits, _FOURS)
            b, f = _swapped(b, f, bits, _FOURS)
            c, g = _swapped(c, g, bits, _FOURS)
            d, h = _swapped(d, h, bits, _FOURS)
            first, place = 8 * column, row // 8
            out[first, place], out[first + 1, place] = a, b
            out[first + 2, place], out[first + 3, place] = c, d
            out[first + 4, place], out[first + 5, place] = e, f
            out[first + 6, place], out[first + 7, place] = g, h
