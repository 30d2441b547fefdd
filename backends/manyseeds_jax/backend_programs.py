"""Compiled programs by structure and shapes: recipes that differ only in numbers share them."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax

from manyseeds.backend.values import Compilation
from manyseeds_jax.lanes import LaneGroups

Tree = Any


class ProgramCall(NamedTuple):
    """The result of a program, and what this call compiled."""

    result: Tree
    compilation: Compilation


class Programs:
    """The programs a backend has compiled.

    Attributes
    ----------
    compiled
        Executables by name, devices, structure and shapes of their arguments.
    compilation
        The number of programs, and the seconds it took to trace and compile them.
    """

    def __init__(self) -> None:
        self.compiled: dict[Hashable, Callable[..., Tree]] = {}
        self.compilation = Compilation()

    def call(
        self,
        name: Hashable,
        groups: LaneGroups,
        function: Callable[..., Tree],
        arguments: tuple[Tree, ...],
        *,
        one_by_one: bool = False,
    ) -> ProgramCall:
        """Call one lane's function for all lanes; compile it first if it is new.

        Parameters
        ----------
        name
            A name that differs between functions that compute different things.
        groups
            The lanes.
        function, arguments
            See `LaneGroups.compile`.
        one_by_one
            Take one lane after another on a GPU, too.
        """
        leaves, tree = jax.tree.flatten(arguments)
        key = (name, groups.mesh, tree, tuple((leaf.shape, str(leaf.dtype)) for leaf in leaves))
        compilation = Compilation()
        if key not in self.compiled:
            start = time.perf_counter()
            self.compiled[key] = groups.compile(function, arguments, one_by_one=one_by_one)
            compilation = Compilation(1, time.perf_counter() - start)
            self.compilation += compilation
        return ProgramCall(self.compiled[key](*arguments), compilation)
