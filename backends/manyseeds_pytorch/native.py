"""Loops over arrays that Numba compiles for the CPU: where PyTorch would take pass after pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import uint64
from numpy.typing import NDArray

from manyseeds.backend.compiled_programs import keep_compiled

_kept = keep_compiled("numba", numba.__version__)
if _kept:
    numba.config.CACHE_DIR = str(_kept)


def native(*signatures: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile at once, for other processes too where there is a folder; runs without Python's lock.

    Parameters
    ----------
    signatures
        One, or a list of them; none for what is called by others of these loops alone.
    options
        Of `numba.njit`.
    """
    found: Callable[..., Any] = numba.njit(
        *signatures, cache=_kept is not None, nogil=True, **options
    )
    return found


_BYTES = uint64(0x00FF00FF00FF00FF)
_PAIRS = uint64(0x0000FFFF0000FFFF)
_FOURS = uint64(0x00000000FFFFFFFF)


@native(inline="always")
def _swapped(upper: Any, lower: Any, bits: Any, mask: Any) -> Any:
    """Exchange the upper word's higher parts and the lower word's lower parts."""
    both = uint64(uint64(uint64(upper >> bits) ^ lower) & mask)
    return uint64(upper ^ uint64(both << bits)), uint64(lower ^ both)


@native("void(uint64[:, ::1], uint64[:, ::1])")
def _transpose(matrix: Any, out: Any) -> None:
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


def transpose(matrix: NDArray[np.bool_], out: NDArray[np.bool_]) -> None:
    """Write the transpose of a matrix of booleans: twice as fast as NumPy, which goes by bytes.

    Parameters
    ----------
    matrix, out
        Of which both numbers of rows and columns are multiples of 8.
    """
    _transpose(matrix.view(np.uint64), out.view(np.uint64))
