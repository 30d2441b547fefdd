"""The compiled programs of networks, by structure, and the seconds that compiling took.

Programs are kept by structure and shapes. Everything numeric is a run-time argument, so rates,
momenta and limits compile nothing again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Hashable
from functools import partial

import tensorflow as tf

from manyseeds.backend.repeated_layers import layer_runs
from manyseeds.backend.values import Compilation
from manyseeds.techniques.network import Network
from manyseeds_tensorflow import activity, scoring, training
from manyseeds_tensorflow.backend_functions import Tree, XlaFunction, shapes_of
from manyseeds_tensorflow.device import OpenDevice
from manyseeds_tensorflow.network import LaneNetwork

EVALUATION_ELEMENTS = 1 << 26
"""Most elements of one layer's activations at once in evaluation on a GPU."""


class CompileLog:
    """The programs compiled so far, with their seconds."""

    def __init__(self) -> None:
        self._compilations: list[Compilation] = []

    def add(self, seconds: float) -> None:
        """Record a program that took this many seconds to trace and compile."""
        self._compilations.append(Compilation(1, seconds))

    def total(self) -> Compilation:
        """Return the number of programs and their seconds."""
        return sum(self._compilations, Compilation())


class LaneProgram:
    """The compiled functions of a structure.

    Parameters
    ----------
    network, features, dtype, frozen
        As for `LaneNetwork`.
    training_lanes, scoring_lanes
        Number of lanes that run side by side in training and in scoring; the others wait their
        turn, in training for a whole epoch.
    log
        Records every compilation.
    """

    def __init__(
        self,
        network: Network,
        features: int,
        dtype: str,
        frozen: Collection[str],
        *,
        training_lanes: int,
        scoring_lanes: int,
        log: CompileLog,
    ) -> None:
        networks = {
            lanes: LaneNetwork(network, features, lanes, dtype, frozen)
            for lanes in {training_lanes, scoring_lanes, 1}
        }
        self._functions: dict[str, Callable[..., Tree]] = {
            "train": partial(training.train, networks[training_lanes]),
            "gradient": partial(training.gradient, networks[training_lanes]),
            "score": partial(scoring.score, networks[scoring_lanes]),
            "sample": partial(scoring.sample, networks[scoring_lanes]),
            "activity": partial(activity.activity, networks[1]),
        }
        self._compiled: dict[Hashable, XlaFunction] = {}
        self._log = log
        self._lock = threading.Lock()  # the threads of a cohort may all make the first call

    def call(self, name: str, arguments: tuple[Tree, ...], choice: Hashable = None) -> Tree:
        """Return a function's result; the first call with arguments of new shapes compiles it.

        Parameters
        ----------
        name
            "train", "gradient", "score", "sample" or "activity".
        arguments
            Nests of tensors.
        choice
            The function's first argument, which its program is compiled for; None for none.
        """
        key = (name, choice, shapes_of(arguments))
        if key not in self._compiled:
            with self._lock:
                if key not in self._compiled:
                    return self._compile(key, arguments)[0]
        return self._compiled[key](*arguments)

    def compile_seconds(
        self, name: str, arguments: tuple[Tree, ...], choice: Hashable = None
    ) -> float:
        """Compile a function by calling it, if these shapes are new; return the seconds, else 0."""
        key = (name, choice, shapes_of(arguments))
        with self._lock:
            return 0.0 if key in self._compiled else self._compile(key, arguments)[1]

    def _compile(
        self, key: tuple[str, Hashable, Hashable], arguments: tuple[Tree, ...]
    ) -> tuple[Tree, float]:
        """Trace a function and make its first call; return its result and the seconds."""
        name, choice, _ = key
        function = self._functions[name]
        start = time.perf_counter()
        compiled = XlaFunction(function if choice is None else partial(function, choice), arguments)
        result = compiled(*arguments)
        seconds = time.perf_counter() - start
        self._compiled[key] = compiled
        self._log.add(seconds)
        return result, seconds


class Programs:
    """The programs of a backend, by the structure of their networks.

    They stay as long as the backend: TensorFlow never frees a compiled program.
    """

    def __init__(self, device: OpenDevice) -> None:
        self._device = device
        self._log = CompileLog()
        self._programs: dict[Hashable, LaneProgram] = {}

    def program(
        self, network: Network, features: int, lanes: int, frozen: Collection[str]
    ) -> LaneProgram:
        """Return the program for a group of lanes of a structure.

        A CPU thread takes its lanes one after the other, each through a whole epoch, so that their
        weights stay in its cache. On a GPU all lanes run side by side. Frozen layers matter only
        because they decide which layers are repetitions.
        """
        training_lanes = scoring_lanes = 1
        if self._device.kind == "cuda":
            training_lanes, scoring_lanes = lanes, _scoring_lanes(network, features, lanes)
        runs = layer_runs(network, features, frozen)
        cut = tuple((len(run.block), len(run.blocks)) for run in runs)
        key = (network.structure(), features, training_lanes, scoring_lanes, cut)
        if key not in self._programs:
            with tf.device(self._device.name):
                self._programs[key] = LaneProgram(
                    network,
                    features,
                    str(self._device.dtype),
                    frozen,
                    training_lanes=training_lanes,
                    scoring_lanes=scoring_lanes,
                    log=self._log,
                )
        return self._programs[key]

    def compiled(self) -> Compilation:
        """Return the number of programs compiled so far, and their seconds."""
        return self._log.total()


def _scoring_lanes(network: Network, features: int, lanes: int) -> int:
    """Return the number of lanes that a GPU scores side by side: a divisor of `lanes`."""
    widest = max(features, *network.widths(features).values())
    most = max(1, EVALUATION_ELEMENTS // (scoring.EVALUATION_ROWS["cuda"] * widest))
    return max(count for count in range(1, min(most, lanes) + 1) if lanes % count == 0)
