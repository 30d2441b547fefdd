"""A workload that says how fast the machine is at the moment: products, memory traffic, Python.

It runs before and after whatever is timed, in the same process. Of the ratio of the two, what slows
down both cancels: another clock frequency, a neighbour on the cores or on the memory.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np

PARTS = {"products": 24, "passes": 6, "loops": 6_000}
"""How much of each is done: a few milliseconds of a core of 2020."""

_ROWS, _INNER, _COLUMNS = 32, 784, 300
_PASSED = 1 << 19
"""Float32 of a pass over memory, 2 MiB: more than a core's own cache, as the weights of a few
lanes."""


class Yardstick:
    """The workload on so many threads: each does all the products and passes, one the loops.

    Parameters
    ----------
    threads
        As many as the subject has. NumPy's own threads are to be off (`environment`).
    """

    def __init__(self, threads: int) -> None:
        generator = np.random.default_rng(0)
        self._left = generator.standard_normal((_ROWS, _INNER), np.float32)
        self._right = generator.standard_normal((_INNER, _COLUMNS), np.float32)
        self._products = [np.empty((_ROWS, _COLUMNS), np.float32) for _ in range(threads)]
        self._passed = [np.ones(_PASSED, np.float32) for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads, "manyseeds-yardstick")
        self._threads = threads

    def seconds(self) -> float:
        """Do the work once and return how long it took."""
        started = perf_counter()
        if self._threads == 1:
            self._arithmetic(0)
        else:
            list(self._pool.map(self._arithmetic, range(self._threads)))
        _loop()
        return perf_counter() - started

    def _arithmetic(self, thread: int) -> None:
        passed, product = self._passed[thread], self._products[thread]
        for _ in range(PARTS["products"]):
            np.matmul(self._left, self._right, out=product)
        for _ in range(PARTS["passes"]):
            np.negative(passed, out=passed)


def environment() -> dict[str, str]:
    """Return the environment variables without which NumPy's products have threads of their own."""
    return {name: "1" for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def _loop() -> int:
    total = 0
    for number in range(PARTS["loops"]):
        total += number % 7
    return total
