"""Everything compiled for the networks of one structure.

Programs are kept by structure and shapes; everything numeric is a run-time argument, so that
rates, momenta and limits never compile anything again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Hashable
from functools import partial
from typing import Any

import tensorflow as tf

from manyseeds.backend.values import Compilation
from manyseeds.techniques.network import Network
from manyseeds_tensorflow import activity, scoring, training
from manyseeds_tensorflow.groups import compiled
from manyseeds_tensorflow.names import named_after
from manyseeds_tensorflow.network import LaneNetwork

Tree = Any
_SPENT: list[Compilation] = []
_LOCK = threading.Lock()
"""Lanes of several threads may make the first call."""


class LaneProgram:
    """The compiled functions of a structure.

    Lanes pass through one group after the other, in training each through a whole epoch.

    Parameters
    ----------
    structure
        What distinguishes it.
    network, features, dtype, frozen
        As for `LaneNetwork`.
    group
        How many lanes side by side in training.
    scored
        And in evaluation.
    """

    def __init__(
        self,
        structure: Hashable,
        network: Network,
        features: int,
        dtype: str,
        frozen: Collection[str],
        *,
        group: int,
        scored: int,
    ) -> None:
        stacked = {
            lanes: LaneNetwork(network, features, lanes, dtype, frozen)
            for lanes in {group, scored, 1}
        }
        self.train = compiled(partial(training.train, stacked[group]))
        self.gradient = compiled(partial(training.gradient, stacked[group]))
        self.score = compiled(partial(scoring.score, stacked[scored]))
        self.sample = compiled(partial(scoring.sample, stacked[scored]))
        self.activity = compiled(partial(activity.activity, stacked[1]))
        self._structure = structure
        self._called: set[Hashable] = set()

    def compile_seconds(self, name: Hashable, arguments: Tree, call: Callable[[], Any]) -> float:
        """Make the first call for arguments of these shapes, if it is one; return its seconds."""
        program = self._program(name, arguments)
        return _compiled(program, call)[1] if self._is_first(program) else 0.0

    def counted(self, name: Hashable, arguments: Tree, call: Callable[[], Tree]) -> Tree:
        """Make a call; the first for arguments of these shapes counts as compiling, whole."""
        program = self._program(name, arguments)
        return _compiled(program, call)[0] if self._is_first(program) else call()

    def _program(self, name: Hashable, arguments: Tree) -> Hashable:
        leaves = tf.nest.flatten(arguments)
        shapes = tuple((tuple(leaf.shape), leaf.dtype.name) for leaf in leaves)
        return (self._structure, name, shapes)

    def _is_first(self, program: Hashable) -> bool:
        with _LOCK:
            first = program not in self._called
            self._called.add(program)
        return first


def spent() -> Compilation:
    """Return what has been compiled in this process so far."""
    return sum(_SPENT, Compilation())


def _compiled(program: Hashable, call: Callable[[], Tree]) -> tuple[Tree, float]:
    """Make a call that compiles; return its result and its seconds, and note them."""
    start = time.perf_counter()
    with named_after(program):
        result = call()
    seconds = time.perf_counter() - start
    _SPENT.append(Compilation(1, seconds))
    return result, seconds
