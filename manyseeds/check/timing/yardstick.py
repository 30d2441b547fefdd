"""The yardstick: small workloads that show how fast the machine is at the moment.

They run before and after everything that is timed, in the same process. A lower clock frequency, a
neighbour on the memory or slow pages slow some of them down, too. `normalisation` decides how much
each of them counts for a subject.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from mmap import mmap

import numpy as np

PARTS = {
    "products": 4,
    "near passes": 24,
    "far passes": 1,
    "fresh pages": 1,
    "loops": 20_000,
}
"""Repetitions of each part, which take about half a millisecond on a core of 2020.

Products of matrices · passes over 1 MiB, which a core's own cache holds · passes over 16 MiB, which
it does not hold · 4 MiB that are new to the process · steps of a loop in Python.
"""

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Environment variables without which NumPy would compute products in threads of its own."""

_ROWS, _INNER, _COLUMNS = 32, 784, 300
_NEAR, _FAR, _FRESH = 1 << 18, 1 << 22, 1 << 20
"""Numbers of float32."""


class Yardstick:
    """The prepared workloads: `parts` has a call for each, in the order of `PARTS`."""

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self._left = generator.standard_normal((_ROWS, _INNER), np.float32)
        self._right = generator.standard_normal((_INNER, _COLUMNS), np.float32)
        self._product = np.empty((_ROWS, _COLUMNS), np.float32)
        self._near = np.ones(_NEAR, np.float32)
        self._far = np.ones(_FAR, np.float32)
        self.parts: Mapping[str, Callable[[], None]] = {
            "products": self._products,
            "near passes": self._near_passes,
            "far passes": self._far_passes,
            "fresh pages": self._fresh_pages,
            "loops": self._loops,
        }

    def _products(self) -> None:
        for _ in range(PARTS["products"]):
            np.matmul(self._left, self._right, out=self._product)

    def _near_passes(self) -> None:
        for _ in range(PARTS["near passes"]):
            np.negative(self._near, out=self._near)

    def _far_passes(self) -> None:
        for _ in range(PARTS["far passes"]):
            np.negative(self._far, out=self._far)

    def _fresh_pages(self) -> None:
        for _ in range(PARTS["fresh pages"]):
            with mmap(-1, 4 * _FRESH) as pages:  # NumPy would reuse its own
                np.frombuffer(pages, np.float32).fill(1)

    def _loops(self) -> None:
        total = 0
        for number in range(PARTS["loops"]):
            total += number % 7
