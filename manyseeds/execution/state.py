"""The state of a cohort after some phases of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.values import Floats
from manyseeds.execution.diagnostics import Diagnosis
from manyseeds.suite.recipe import Phase
from manyseeds.techniques.network import Weights


@dataclass(frozen=True)
class Seconds:
    """Wall time of a whole cohort, by purpose, without loading data, compiling and logging."""

    train: float = 0.0
    evaluate: float = 0.0

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(
            self.train + other.train,
            self.evaluate + other.evaluate,
        )


@dataclass(frozen=True)
class EpochCurves:
    """One epoch of all lanes: each value [lanes]; NaN for a lane that had stopped."""

    phase: str
    epoch: int
    values: Mapping[str, Floats]


def diverged_from(phase: str, epoch: int) -> str:
    """Return, in words, where the loss of a lane stopped being finite."""
    return f"loss not finite from epoch {epoch}, phase {phase!r} on"


@dataclass(frozen=True)
class State:
    """The state of a cohort after some phases.

    Attributes
    ----------
    phases
        How many phases have ended.
    weights
        Weights of the last phase's network, [lanes, ...] by variable.
    source
        Weights of the network before this one: the owner of `shared` layers.
    epochs_on_task, steps_of_network
        Epochs by task and steps by network so far: part of the addresses of the random streams.
    curves
        One entry per epoch so far.
    diagnoses
        Diagnostics, where phases ask for them.
    diverged
        Per lane: when its loss stopped being finite, or "". Also "" where early stopping has
        brought back the weights of an earlier epoch.
    best_epoch
        Per lane: the epoch whose weights it has, counted over all phases.
    seconds
        The wall time of all phases.
    """

    phases: int
    weights: Weights
    source: Weights
    epochs_on_task: Mapping[str, int]
    steps_of_network: Mapping[str, int]
    curves: tuple[EpochCurves, ...]
    diagnoses: tuple[Diagnosis, ...]
    diverged: tuple[str, ...]
    best_epoch: NDArray[np.int64]
    seconds: Seconds

    def after(self, phase: Phase, weights: Weights, *, epochs: int, steps: int) -> State:
        """Return the state after a phase, with its weights and its numbers of epochs and steps.

        Both are counted in full where lanes stop early, so that no lane's streams depend on another
        lane.
        """
        task, network = phase.task.name, phase.network.name
        return replace(
            self,
            phases=self.phases + 1,
            weights=weights,
            epochs_on_task={**self.epochs_on_task, task: self.epochs_on_task.get(task, 0) + epochs},
            steps_of_network={
                **self.steps_of_network,
                network: self.steps_of_network.get(network, 0) + steps,
            },
        )

    @classmethod
    def start(cls, lanes: int) -> State:
        """Return the state before the first phase."""
        return cls(
            phases=0,
            weights={},
            source={},
            epochs_on_task={},
            steps_of_network={},
            curves=(),
            diagnoses=(),
            diverged=("",) * lanes,
            best_epoch=np.zeros(lanes, dtype=np.int64),
            seconds=Seconds(),
        )
