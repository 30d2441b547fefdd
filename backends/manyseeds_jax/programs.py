"""Compiled programs, kept by structure and shapes: recipes that differ in numbers share them."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax

from manyseeds.backend.values import Compilation
from manyseeds_jax.device import Lanes

Tree = Any


class Call(NamedTuple):
    """What a program returned, and what compiling it took this time."""

    result: Tree
    seconds: float
    compilations: int


_PROGRAMS: dict[Hashable, Callable[..., Any]] = {}
_SPENT: list[Compilation] = []


def spent() -> Compilation:
    """Return what has been compiled so far."""
    return sum(_SPENT, Compilation())


def call(
    name: Hashable,
    lanes: Lanes,
    function: Callable[..., Tree],
    arguments: tuple[Tree, ...],
    *,
    one_by_one: bool = False,
) -> Call:
    """Call one lane's function for all lanes, compiled once for everything in its name.

    Parameters
    ----------
    function, arguments
        See `Lanes.compile`.
    one_by_one
        Take one lane after the other on a GPU, too.
    """
    leaves, tree = jax.tree.flatten(arguments)
    key = (name, lanes.mesh, tree, tuple((leaf.shape, str(leaf.dtype)) for leaf in leaves))
    now = Compilation()
    if key not in _PROGRAMS:
        start = time.perf_counter()
        _PROGRAMS[key] = lanes.compile(function, arguments, one_by_one=one_by_one)
        now = Compilation(1, time.perf_counter() - start)
        _SPENT.append(now)
    return Call(_PROGRAMS[key](*arguments), now.seconds, now.programs)
