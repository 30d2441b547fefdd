"""What is timed: the transfer study's two tasks by the chapter's protocol, on Fashion-MNIST."""

from __future__ import annotations

import math

from manyseeds.suite.files import read_suite
from manyseeds.suite.recipe import Phase, Recipe


def phase(name: str) -> Phase:
    """Return a phase of the transfer suite: "scratch" (task B) or "pretrain" (task A)."""
    suite = read_suite("transfer").suite
    phases = {p.name: p for cell in suite.cells[:2] for p in cell.recipe.phases}
    return phases[name]


def recipe(name: str, epochs: int) -> Recipe:
    """Return a recipe of that phase alone, for so many epochs."""
    shortened = phase(name).model_copy(update={"epochs": epochs})
    return Recipe(name=name, phases=(shortened,))


def flops_per_example(name: str) -> int:
    """Return the floating-point operations of the products in a step, per example.

    Two for each weight forward and four backward, save the first layer's, whose inputs need no
    gradient: two.
    """
    kernels = [s for s in phase(name).network.shapes(784).values() if len(s) == 2]
    sizes = [math.prod(shape) for shape in kernels]
    return 6 * sum(sizes) - 2 * sizes[0]
