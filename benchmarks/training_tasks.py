"""The tasks that are trained: the transfer study's two, by the chapter's protocol."""

from __future__ import annotations

from manyseeds.suite.files import read_suite
from manyseeds.suite.recipe import Phase, Recipe


def phase(task: str) -> Phase:
    """Return a phase of the transfer suite.

    Parameters
    ----------
    task
        "scratch" (task B) or "pretrain" (task A) on Fashion-MNIST; followed by "-quick", as the
        suite's quick form has it, on the embedded data.
    """
    name, _, form = task.partition("-")
    suite = read_suite("transfer", quick=form == "quick").suite
    phases = {p.name: p for cell in suite.cells[:2] for p in cell.recipe.phases}
    return phases[name]


def recipe(task: str, epochs: int) -> Recipe:
    """Return a recipe of that phase alone, for this many epochs."""
    shortened = phase(task).model_copy(update={"epochs": epochs})
    return Recipe(name=shortened.name, phases=(shortened,))


def is_binary(task: str) -> bool:
    """Return whether the task has two classes, and so a network with one logistic output."""
    return task.startswith("scratch")
