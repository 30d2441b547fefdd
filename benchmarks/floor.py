"""The floor under a step's time: its matrix products, each in the library that is fastest at it."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from benchmarks.products import LIBRARIES, Product


@dataclass(frozen=True)
class Floor:
    """The fastest products of a step in all lanes.

    Attributes
    ----------
    seconds
        The time of all products together.
    flops_per_second
        The floating-point operations per second of all products together.
    libraries
        The number of products at which each library is fastest.
    """

    seconds: float
    flops_per_second: float
    libraries: Mapping[str, int]

    @property
    def names(self) -> str:
        """The libraries that are fastest at a product, the one with most products first."""
        return ", ".join(sorted(self.libraries, key=lambda name: -self.libraries[name]))


def measured_floor(
    products: Sequence[Product], lanes: int, seconds: float, start: Callable[..., Any]
) -> Floor:
    """Measure the products in every installed library, each in a process of its own.

    Parameters
    ----------
    products
        The products of a step, in one lane.
    lanes
        Number of lanes.
    seconds
        The time for which each product is repeated in each library.
    start
        Starts the process of a subject.
    """
    shapes = [astuple(product) for product in products]
    installed = [name for name in LIBRARIES if importlib.util.find_spec(name)]
    measured = {
        name: start("multiplying", name).work(lanes, shapes, seconds)["products"]
        for name in installed
    }
    fastest = [
        min((times[number], name) for name, times in measured.items())
        for number in range(len(products))
    ]
    total = sum(time for time, _ in fastest)
    flops = lanes * sum(product.flops for product in products)
    return Floor(total, flops / total, Counter(name for _, name in fastest))
