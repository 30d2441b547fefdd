"""A workload that says how fast the machine is at the moment: products, memory traffic, Python.

It runs before and after whatever is timed, in the same process. Of the ratio of the two, what slows
down both cancels: another clock frequency, a neighbour on the memory.
"""

from __future__ import annotations

import numpy as np

PARTS = {"products": 12, "passes": 3, "loops": 6_000}
"""How much of each is done: a few milliseconds of a core of 2020."""

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Without these, NumPy's products have threads of their own."""

_ROWS, _INNER, _COLUMNS = 32, 784, 300
_PASSED = 1 << 19
"""Float32 of a pass over memory, 2 MiB: more than a core's own cache, as are a few lanes."""


class Yardstick:
    """The workload; a call does it once."""

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self._left = generator.standard_normal((_ROWS, _INNER), np.float32)
        self._right = generator.standard_normal((_INNER, _COLUMNS), np.float32)
        self._product = np.empty((_ROWS, _COLUMNS), np.float32)
        self._passed = np.ones(_PASSED, np.float32)

    def __call__(self) -> None:
        """Do the work."""
        for _ in range(PARTS["products"]):
            np.matmul(self._left, self._right, out=self._product)
        for _ in range(PARTS["passes"]):
            np.negative(self._passed, out=self._passed)
        total = 0
        for number in range(PARTS["loops"]):
            total += number % 7
