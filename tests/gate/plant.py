"""A change that is planted in a copy of the source, and that the gate must catch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TORCH, TF, JAX = (
    "backends/manyseeds_pytorch",
    "backends/manyseeds_tensorflow",
    "backends/manyseeds_jax",
)
HARNESS = "manyseeds"


@dataclass(frozen=True)
class Plant:
    """A change of the source.

    Attributes
    ----------
    name
        The change in words.
    backend
        The backend that is checked; a change of the harness shows on any.
    file
        The changed file, relative to the root.
    edits
        Texts and their replacements.
    concerns
        Techniques whose recipes it could affect; () for all.
    layer
        The layer that must catch it.
    """

    name: str
    backend: str
    file: str
    edits: tuple[tuple[str, str], ...]
    concerns: tuple[str, ...] = ()
    layer: Literal["numerics", "time"] = "numerics"


def in_pytorch(name: str, file: str, old: str, new: str, *concerns: str) -> Plant:
    return Plant(name, "pytorch", f"{TORCH}/{file}.py", ((old, new),), concerns)


def in_tensorflow(name: str, file: str, old: str, new: str, *concerns: str) -> Plant:
    return Plant(name, "tensorflow", f"{TF}/{file}.py", ((old, new),), concerns)


def in_jax(name: str, file: str, old: str, new: str, *concerns: str) -> Plant:
    return Plant(name, "jax", f"{JAX}/{file}.py", ((old, new),), concerns)


def in_the_harness(name: str, file: str, old: str, new: str, *concerns: str) -> Plant:
    return Plant(name, "pytorch", f"{HARNESS}/{file}.py", ((old, new),), concerns)
