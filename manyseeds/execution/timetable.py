"""Makes the plans of a phase's epochs: the rows, their order, rates and noise keys of each lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.values import EpochPlan, Floats, Split
from manyseeds.execution.state import State
from manyseeds.randomness import streams
from manyseeds.randomness.lanes import Lanes
from manyseeds.suite.recipe import Phase
from manyseeds.techniques import network_streams
from manyseeds.techniques.augmentation import Changes
from manyseeds.techniques.network import Weights
from manyseeds.techniques.schedules import Clock


def first_weights(phase: Phase, state: State, lanes: Lanes, features: int) -> Weights:
    """Return the weights a phase starts from: reused layers from `state`, the others drawn."""
    drawn = network_streams.initial_weights(phase.network, features, lanes.of("init"))
    sources = phase.sources()
    return {
        name: state.weights[f"{sources[label]}/{variable}"] if label in sources else values
        for name, values in drawn.items()
        for label, variable in [name.split("/")]
    }


def noise_keys(phase: Phase, lanes: Lanes, *path: str) -> Mapping[str, NDArray[np.uint32]]:
    """Return the noise keys of a phase's network, label -> [lanes, 2]; `path` names a purpose."""
    seeds: dict[streams.Stream, list[int]] = {
        "dropout": lanes.of("dropout"),
        "augment": lanes.of("augment"),
    }
    return network_streams.noise_keys(phase.network, seeds, *path)


@dataclass(frozen=True)
class Timetable:
    """Makes the plan of each epoch of a phase.

    Attributes
    ----------
    phase, lanes
        The phase that is trained, and the seeds of its lanes.
    rows
        Rows of the training split that each lane trains on, [n] per lane.
    noise
        Keys of the noise, label -> [lanes, 2].
    first_epoch, first_step
        Epochs that earlier phases spent on this task, and steps they took with this network.
    features
        The number of features of an example.
    """

    phase: Phase
    lanes: Lanes
    rows: Sequence[NDArray[np.int32]]
    noise: Mapping[str, NDArray[np.uint32]]
    first_epoch: int
    first_step: int
    features: int

    @classmethod
    def of(cls, phase: Phase, state: State, lanes: Lanes, train: Split) -> Timetable:
        """Return the timetable of a phase that starts from `state`, on a training split."""
        task = phase.task
        return cls(
            phase=phase,
            lanes=lanes,
            rows=streams.training_rows(
                task.name, len(train), task.train, [lane.split for lane in lanes.seeds]
            ),
            noise=noise_keys(phase, lanes),
            first_epoch=state.epochs_on_task.get(task.name, 0),
            first_step=state.steps_of_network.get(phase.network.name, 0),
            features=train.inputs.shape[1],
        )

    @property
    def steps(self) -> int:
        """Steps of an epoch, the last smaller batch included."""
        return -(-len(self.rows[0]) // self.phase.batch)

    def plan(self, epoch: int, valid_loss: Floats) -> EpochPlan:
        """Return the plan of one epoch, from 0, after validation losses [epochs, lanes]."""
        phase = self.phase
        clock = Clock(epoch=epoch, steps=self.steps, epochs=phase.epochs)
        rate = phase.schedule.rates(phase.rate, clock, valid_loss)
        momentum = phase.optimizer.hyperparameters().get("momentum")
        momenta = None if momentum is None else phase.schedule.momenta(momentum, clock)
        return EpochPlan(
            order=streams.batch_order(
                phase.task.name, self.rows, self.lanes.of("order"), self.first_epoch + epoch
            ),
            batch=phase.batch,
            rate=rate,
            momentum=None if momenta is None else np.broadcast_to(momenta, rate.shape).copy(),
            noise=self.noise,
            step=self.first_step + epoch * self.steps,
            changes=self._changes(epoch),
        )

    def _changes(self, epoch: int) -> Changes | None:
        """Return the image augmentation of an epoch, counted from 0; None without augmentation."""
        phase = self.phase
        if not phase.augmentation:
            return None
        return network_streams.image_changes(
            phase.task.name,
            phase.augmentation,
            self.lanes.of("augment"),
            self.first_epoch + epoch,
            len(self.rows[0]),
            self.features,
        )
