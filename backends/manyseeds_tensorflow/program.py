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

from manyseeds.backend import Compilation
from manyseeds.network import Network
from manyseeds_tensorflow import activity, scoring, training
from manyseeds_tensorflow.groups import compiled
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
    network, features, dtype, frozen
        As for `LaneNetwork`.
    group
        How many lanes side by side in training.
    scored
        And in evaluation.
    """

    def __init__(
        self,
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
        self._called: set[Hashable] = set()

    def compile_seconds(self, name: Hashable, arguments: Tree, call: Callable[[], Any]) -> float:
        """Make the first call for arguments of these shapes, if it is one; return its seconds."""
        if not self._is_first(name, arguments):
            return 0.0
        return _timed(call)[1]

    def counted(self, name: Hashable, arguments: Tree, call: Callable[[], Tree]) -> Tree:
        """Make a call; the first for arguments of these shapes counts as compiling, whole."""
        return _timed(call)[0] if self._is_first(name, arguments) else call()

    def _is_first(self, name: Hashable, arguments: Tree) -> bool:
        leaves = tf.nest.flatten(arguments)
        key = (name, tuple((tuple(leaf.shape), str(leaf.dtype)) for leaf in leaves))
        with _LOCK:
            first = key not in self._called
            self._called.add(key)
        return first


def spent() -> Compilation:
    """Return what has been compiled in this process so far."""
    return sum(_SPENT, Compilation())


def _timed(call: Callable[[], Tree]) -> tuple[Tree, float]:
    """Make a call that compiles; return its result and its seconds, and note them."""
    start = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    _SPENT.append(Compilation(1, seconds))
    return result, seconds
