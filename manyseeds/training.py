"""Drives a cohort through a recipe, epoch by epoch: order, rates, validation, early stopping.

The driver sees training and validation data only: the type of the cohort it is given has no way
to the test split. Everything it keeps after a phase is in a frozen `State`, from which another
recipe with the same first phases can go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds import streams
from manyseeds.augmentation import Changes
from manyseeds.backend import (
    EpochPlan,
    EpochTrace,
    Floats,
    Scores,
    Split,
    Splits,
    TrainingCohort,
)
from manyseeds.diagnostics import Diagnosis, diagnose, step_diagnoses
from manyseeds.network import Weights
from manyseeds.recipe import EarlyStopping, Phase, Recipe
from manyseeds.schedules import Clock, RangeTest
from manyseeds.streams import StreamSeeds

_CURVES = ("rate", "train_loss", "train_penalty", "valid_loss", "valid_accuracy")


@dataclass(frozen=True)
class Seconds:
    """Wall time of a whole cohort by account; data, compiling and logging are in none."""

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


@dataclass(frozen=True)
class State:
    """Where a cohort stands after some phases.

    Attributes
    ----------
    phases
        How many phases have ended.
    weights
        Of the last phase's network.
    source
        Weights of the last network that was not this one: what `shared` layers belong to.
    epochs_on_task, steps_of_network
        What keys the `order` stream and the noise counters.
    curves
        Every epoch so far.
    diagnoses
        What was seen inside the networks, where phases ask for it.
    diverged
        Per lane: where its loss stopped being finite, or "".
    best_epoch
        Per lane: the epoch, counted over all phases, whose weights it has.
    seconds
        Spent on all phases.
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


@dataclass(frozen=True)
class Progress:
    """An epoch has ended."""

    phase: str
    epoch: int
    epochs: int
    valid_accuracy: float | None


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Lanes:
    """The seeds of a cohort's lanes, one `StreamSeeds` each."""

    seeds: tuple[StreamSeeds, ...]

    def __len__(self) -> int:
        return len(self.seeds)

    def of(self, stream: streams.Stream) -> list[int]:
        """Return each lane's seed of a stream that is always drawn from."""
        return [getattr(lane, stream) for lane in self.seeds]


def first_weights(phase: Phase, state: State, lanes: Lanes, features: int) -> Weights:
    """Return the weights a phase starts from: reused layers from `state`, the rest drawn."""
    drawn = streams.initial_weights(phase.network, features, lanes.of("init"))
    sources = phase.sources()
    return {
        name: state.weights[f"{sources[label]}/{variable}"] if label in sources else values
        for name, values in drawn.items()
        for label, variable in [name.split("/")]
    }


def noise_keys(phase: Phase, lanes: Lanes, *path: str) -> Mapping[str, NDArray[np.uint32]]:
    """Return the keys of the noises of a phase's network; `path` is for another purpose."""
    seeds: dict[streams.Stream, list[int]] = {
        "dropout": lanes.of("dropout"),
        "augment": lanes.of("augment"),
    }
    return streams.noise_keys(phase.network, seeds, *path)


@dataclass(frozen=True)
class Timetable:
    """What the lanes of a phase see in each epoch: rows, order, rates, noise.

    Attributes
    ----------
    rows
        Each lane's rows of the training split.
    noise
        Keys of the phase's noise.
    first_epoch, first_step
        Epochs the lanes have spent on this task, and steps this network has taken, before.
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
        """Return the timetable of a phase that follows `state`, on this training split."""
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
        """Return what is done to the images of an epoch, from 0."""
        phase = self.phase
        if not phase.augmentation:
            return None
        return streams.image_changes(
            phase.task.name,
            phase.augmentation,
            self.lanes.of("augment"),
            self.first_epoch + epoch,
            len(self.rows[0]),
            self.features,
        )


def train_phase(
    cohort: TrainingCohort,
    recipe: Recipe,
    state: State,
    data: Splits,
    lanes: Lanes,
    report: Report,
) -> State:
    """Train the next phase of a recipe and return the state after it."""
    phase = recipe.phases[state.phases]
    before = recipe.phases[state.phases - 1] if state.phases else None
    weights = first_weights(phase, state, lanes, data.train.inputs.shape[1])
    new_network = before is not None and before.network.name != phase.network.name
    cohort.begin(phase, weights)
    run = _PhaseRun(cohort, phase, state, data, lanes)
    run.diagnose(0)
    for epoch in range(phase.epochs):
        run.epoch(epoch)
        report(run.progress())
        if run.stopped.all():
            break
    return replace(
        run.result(),
        phases=state.phases + 1,
        source=state.weights if new_network else state.source,
    )


@dataclass
class _PhaseRun:
    """The moving parts of one phase."""

    cohort: TrainingCohort
    phase: Phase
    state: State
    data: Splits
    lanes: Lanes
    seconds: Seconds = field(default_factory=Seconds)
    curves: list[EpochCurves] = field(default_factory=list)
    diagnoses: list[Diagnosis] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.timetable = Timetable.of(self.phase, self.state, self.lanes, self.data.train)
        self.diverged = list(self.state.diverged)
        self.stopped = np.array([bool(reason) for reason in self.diverged])
        self.best = _Best.start(self.phase.early_stopping, len(self.lanes))
        self.valid_loss = np.empty((0, len(self.lanes)))

    def epoch(self, epoch: int) -> None:
        """Train and validate one epoch in all lanes."""
        plan = self.timetable.plan(epoch, self.valid_loss)
        started = perf_counter()
        trace = self.cohort.train(plan)
        trained = perf_counter()
        scores = self._validate()
        ended = perf_counter()
        self.seconds += Seconds(
            train=trained - started - trace.compile_seconds,
            evaluate=ended - trained - scores.compile_seconds,
        )
        self._record(plan, trace, scores)
        if isinstance(self.phase.schedule, RangeTest):
            steps = step_diagnoses(
                self.phase.name, self._epochs(), epoch * plan.steps, plan, trace.loss
            )
            self.diagnoses.extend(steps)
        self.diagnose(epoch + 1)

    def diagnose(self, epoch: int) -> None:
        """Look inside the networks, after so many epochs of the phase, if that is asked for."""
        if self.phase.diagnostics:
            plan = self.timetable.plan(epoch, self.valid_loss)
            network = self.phase.network
            self.diagnoses.extend(
                diagnose(
                    self.cohort,
                    self.phase.name,
                    network,
                    plan,
                    self._epochs(),
                    gradients=self.phase.epochs > 0,
                )
            )

    def _epochs(self) -> int:
        """Return the epochs trained so far, over all phases."""
        return len(self.state.curves) + len(self.curves)

    def _validate(self) -> Scores:
        classifies = self.phase.network.loss != "mean_squared_error"
        return self.cohort.evaluate("valid", ("loss", "accuracy") if classifies else ("loss",))

    def _record(self, plan: EpochPlan, trace: EpochTrace, scores: Scores) -> None:
        loss = trace.loss
        valid = scores.metrics["loss"]
        accuracy = scores.metrics.get("accuracy", np.full(len(valid), np.nan))
        penalty = np.zeros_like(loss) if trace.penalty is None else trace.penalty
        active = ~self.stopped
        values = (plan.rate[:, -1], loss.mean(axis=1), penalty.mean(axis=1), valid, accuracy)
        number = self._epochs() + 1
        self.curves.append(
            EpochCurves(
                self.phase.name,
                number,
                {n: np.where(active, v, np.nan) for n, v in zip(_CURVES, values, strict=True)},
            )
        )
        self.valid_loss = np.vstack([self.valid_loss, valid])
        finite = np.isfinite(loss + penalty).all(axis=1) & np.isfinite(valid)
        self._stop_diverged(finite, number)
        improved = self.best.update(valid, active & ~self.stopped)
        stopping = self.best.out_of_patience() & ~self.stopped
        # A lane that has stopped goes on training, in lockstep with the others: what it ends with
        # is set aside.
        kept = improved if self.best.restores else stopping
        if kept.any():
            self.best.keep(self.cohort.weights(), kept, number)
        self.stopped |= stopping

    def _stop_diverged(self, finite: NDArray[np.bool_], number: int) -> None:
        for lane in np.flatnonzero(~finite & ~self.stopped):
            where = f"epoch {number}, phase {self.phase.name!r}"
            self.diverged[lane] = f"loss not finite from {where} on"
        self.stopped |= ~finite

    def progress(self) -> Progress:
        """Return what to tell a person about the epoch that just ended."""
        accuracy = self.curves[-1].values["valid_accuracy"]
        seen = accuracy[np.isfinite(accuracy)]
        return Progress(
            phase=self.phase.name,
            epoch=len(self.curves),
            epochs=self.phase.epochs,
            valid_accuracy=float(seen.mean()) if seen.size else None,
        )

    def result(self) -> State:
        """Return the state after this phase, without the number of phases and the source."""
        done = self.state
        # Counted in full where lanes stop early, so that a lane's streams never depend on others.
        epochs = self.phase.epochs
        steps = self.timetable.steps * epochs
        task, network = self.phase.task.name, self.phase.network.name
        return replace(
            done,
            weights=pruned(self.phase, self.best.merged(self.cohort.weights())),
            epochs_on_task={**done.epochs_on_task, task: done.epochs_on_task.get(task, 0) + epochs},
            steps_of_network={
                **done.steps_of_network,
                network: done.steps_of_network.get(network, 0) + steps,
            },
            curves=(*done.curves, *self.curves),
            diagnoses=(*done.diagnoses, *self.diagnoses),
            diverged=tuple(self.diverged),
            best_epoch=self.best.epoch_or(len(done.curves) + len(self.curves)),
            seconds=done.seconds + self.seconds,
        )


@dataclass
class _Best:
    """Each lane's best validation loss, and the weights it ends with where it stops early."""

    rule: EarlyStopping | None
    loss: Floats
    waited: NDArray[np.int64]
    kept: NDArray[np.int64]
    weights: dict[str, NDArray[Any]]

    @classmethod
    def start(cls, rule: EarlyStopping | None, lanes: int) -> _Best:
        zeros = np.zeros(lanes, dtype=np.int64)
        return cls(rule, np.full(lanes, np.inf), zeros, zeros.copy(), {})

    @property
    def restores(self) -> bool:
        """Whether lanes end with the weights of their best epoch."""
        return self.rule is not None and self.rule.restore_best

    def update(self, loss: Floats, active: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Note an epoch's validation losses and return which lanes improved."""
        improved = active & (loss < self.loss)
        self.loss = np.where(improved, loss, self.loss)
        self.waited = np.where(improved, 0, self.waited + active)
        return improved

    def keep(self, weights: Weights, lanes: NDArray[np.bool_], epoch: int) -> None:
        """Set these lanes' weights aside, as they are after an epoch."""
        for name, values in weights.items():
            if name not in self.weights:
                self.weights[name] = np.array(values)
            self.weights[name][lanes] = values[lanes]
        self.kept[lanes] = epoch

    def out_of_patience(self) -> NDArray[np.bool_]:
        """Return which lanes have waited long enough."""
        if self.rule is None:
            return np.zeros(len(self.loss), dtype=bool)
        return self.waited >= self.rule.patience

    def merged(self, last: Weights) -> Weights:
        """Return the weights the phase ends with."""
        merged = {name: np.array(values) for name, values in last.items()}
        for name, values in self.weights.items():
            merged[name][self.kept > 0] = values[self.kept > 0]
        return merged

    def epoch_or(self, last: int) -> NDArray[np.int64]:
        """Return each lane's epoch of the weights it ends with."""
        return np.where(self.kept > 0, self.kept, last)


def pruned(phase: Phase, weights: Weights) -> Weights:
    """Return the weights a phase leaves: those its pruning does not keep are 0."""
    if phase.pruning is None:
        return weights
    kept = phase.pruning.kept
    return {
        name: np.where(kept(values), values, 0) if name.endswith("/kernel") else values
        for name, values in weights.items()
    }


def with_layers(source: Weights, layers: Mapping[str, str], weights: Weights) -> Weights:
    """Return `source` with its layers as they are in `weights`.

    `layers` maps labels in `weights` to labels in `source`.
    """
    changed = dict(source)
    for name, values in weights.items():
        label, variable = name.split("/")
        if label in layers:
            changed[f"{layers[label]}/{variable}"] = values
    return changed


def seeds_of(seeds: Sequence[int], varied: Sequence[streams.Stream]) -> Lanes:
    """Return the lanes of a job's seeds."""
    return Lanes(tuple(streams.stream_seeds(seed, varied) for seed in seeds))
