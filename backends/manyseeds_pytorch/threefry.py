"""Threefry-2x32-20 on the CPU, a lane at a time: a loop that Numba turns into vector instructions.

PyTorch's integer operations would take twenty passes over memory for the twenty rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import uint32
from numpy.typing import NDArray

from manyseeds.host import keep_compiled

_PARITY = 0x1BD11BDA
_EVEN, _ODD = (13, 15, 26, 6), (17, 29, 16, 24)
"""By how many bits the rounds rotate, four by four in turn."""

_kept = keep_compiled("numba", numba.__version__)
if _kept:
    numba.config.CACHE_DIR = str(_kept)


def _compiled(*signature: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile at once, without Python's lock, for other processes too where there is a folder."""
    compile_: Callable[..., Any] = numba.njit(*signature, cache=_kept is not None, **options)
    return compile_


@_compiled(inline="always")
def _four(x0: Any, x1: Any, rotations: Any) -> Any:
    """Return the words after four rounds."""
    for bits in rotations:
        x0 = uint32(x0 + x1)
        x1 = uint32(uint32(x1 << uint32(bits)) | uint32(x1 >> uint32(32 - bits)))
        x1 = uint32(x1 ^ x0)
    return x0, x1


@_compiled("void(uint32, uint32, uint32, uint32[:, ::1])", nogil=True)
def _draw(first: Any, second: Any, step: Any, out: Any) -> None:
    # Every operation is rounded to 32 bits: Numba, left alone, computes in 64.
    third = uint32(first ^ second ^ uint32(_PARITY))
    for block in range(out.shape[1]):
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
        out[0, block] = uint32(x0 + third)
        out[1, block] = uint32(x1 + first + uint32(5))


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
