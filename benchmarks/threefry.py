"""Threefry-2x32-20 as a Numba loop: how fast a core draws noise when it does nothing else.

It is the benchmarks' own, so that the floor depends on no backend.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

PARITY = 0x1BD11BDA
EVEN, ODD = (13, 15, 26, 6), (17, 29, 16, 24)
"""Bits that the rounds rotate by, in groups of four."""

Draw = Callable[[np.uint32, np.uint32, NDArray[np.uint32]], None]
"""Fills an array, [2, blocks], with the words of a key's blocks of step 0."""


def compiled_draw() -> Draw:
    """Compile the loop; it releases Python's lock, so that threads draw side by side."""
    import numba

    # Every operation is rounded to 32 bits: Numba, left alone, computes in 64, and the loop would
    # not be turned into vector instructions.
    uint32 = numba.uint32

    @numba.njit(inline="always")  # type: ignore[untyped-decorator]
    def four_rounds(x0: Any, x1: Any, rotations: Any) -> Any:
        for bits in rotations:
            x0 = uint32(x0 + x1)
            x1 = uint32(uint32(x1 << uint32(bits)) | uint32(x1 >> uint32(32 - bits)))
            x1 = uint32(x1 ^ x0)
        return x0, x1

    @numba.njit("void(uint32, uint32, uint32[:, ::1])", nogil=True)  # type: ignore[untyped-decorator]
    def draw(first: Any, second: Any, out: Any) -> None:
        third = uint32(first ^ second ^ uint32(PARITY))
        for block in range(out.shape[1]):
            x0, x1 = four_rounds(uint32(uint32(block) + first), uint32(second), EVEN)
            x0, x1 = four_rounds(uint32(x0 + second), uint32(x1 + third + uint32(1)), ODD)
            x0, x1 = four_rounds(uint32(x0 + third), uint32(x1 + first + uint32(2)), EVEN)
            x0, x1 = four_rounds(uint32(x0 + first), uint32(x1 + second + uint32(3)), ODD)
            x0, x1 = four_rounds(uint32(x0 + second), uint32(x1 + third + uint32(4)), EVEN)
            out[0, block], out[1, block] = uint32(x0 + third), uint32(x1 + first + uint32(5))

    compiled: Draw = draw
    return compiled
