"""Trains a cohort through a phase, epoch by epoch.

It sees training and validation data only: a `TrainingCohort` has no access to the test split. The
result of a phase is a frozen `State`, from which other recipes with the same first phases continue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.protocols import TrainingCohort
from manyseeds.backend.values import EpochPlan, EpochTrace, Scores, Splits
from manyseeds.execution.best_weights import BestWeights
from manyseeds.execution.diagnostics import Diagnosis, diagnose, step_diagnoses
from manyseeds.execution.state import EpochCurves, Seconds, State, diverged_from
from manyseeds.execution.timetable import Timetable, first_weights
from manyseeds.randomness.lanes import Lanes
from manyseeds.suite.recipe import Phase, Recipe
from manyseeds.techniques.network import Weights
from manyseeds.techniques.schedules import RangeTest

_CURVES = ("rate", "train_loss", "train_penalty", "valid_loss", "valid_accuracy")


@dataclass(frozen=True)
class Progress:
    """The progress of a phase at the end of an epoch.

    Attributes
    ----------
    phase
        The name of the phase.
    epoch, epochs
        Epochs of the phase so far, and at most.
    valid_accuracy
        Mean over the lanes still training; None for a regression, or where all have stopped.
    """

    phase: str
    epoch: int
    epochs: int
    valid_accuracy: float | None


Report = Callable[[Progress], None]


def train_phase(
    cohort: TrainingCohort,
    recipe: Recipe,
    state: State,
    data: Splits,
    lanes: Lanes,
    report: Report,
) -> State:
    """Train the next phase of a recipe and return the state after it.

    `report` is called after every epoch.
    """
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
    return replace(run.result(), source=state.weights if new_network else state.source)


@dataclass
class _PhaseRun:
    """A phase in training: the values that change from epoch to epoch."""

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
        self.best = BestWeights.start(self.phase.early_stopping, len(self.lanes))
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
                self.phase.name, self._epochs(), epoch * plan.step_count, plan, trace.loss
            )
            self.diagnoses.extend(steps)
        self.diagnose(epoch + 1)

    def diagnose(self, epoch: int) -> None:
        """Record diagnostics after `epoch` epochs of the phase, if the phase has diagnostics."""
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
        # A stopped lane keeps training in lockstep with the others, so its weights are saved now.
        saved = improved if self.best.restores else stopping
        if saved.any():
            self.best.save(self.cohort.weights(), saved, number)
        self.stopped |= stopping

    def _stop_diverged(self, finite: NDArray[np.bool_], number: int) -> None:
        for lane in np.flatnonzero(~finite & ~self.stopped):
            self.diverged[lane] = diverged_from(self.phase.name, number)
        self.stopped |= ~finite

    def progress(self) -> Progress:
        """Return the progress after the epoch that just ended."""
        accuracy = self.curves[-1].values["valid_accuracy"]
        finite = accuracy[np.isfinite(accuracy)]
        return Progress(
            phase=self.phase.name,
            epoch=len(self.curves),
            epochs=self.phase.epochs,
            valid_accuracy=float(finite.mean()) if finite.size else None,
        )

    def result(self) -> State:
        """Return the state after this phase, with the source of the phase before."""
        before, epochs = self.state, self.phase.epochs
        restored = self.best.restored()
        after = before.after(
            self.phase,
            pruned(self.phase, self.best.merged(self.cohort.weights())),
            epochs=epochs,
            steps=self.timetable.steps * epochs,
        )
        return replace(
            after,
            curves=(*before.curves, *self.curves),
            diagnoses=(*before.diagnoses, *self.diagnoses),
            diverged=tuple("" if r else d for r, d in zip(restored, self.diverged, strict=True)),
            best_epoch=self.best.epoch_or(self._epochs()),
            seconds=before.seconds + self.seconds,
        )


def pruned(phase: Phase, weights: Weights) -> Weights:
    """Return the weights after a phase's pruning, which sets the pruned ones to 0."""
    if phase.pruning is None:
        return weights
    keep_mask = phase.pruning.keep_mask
    return {
        name: np.where(keep_mask(values), values, 0) if name.endswith("/kernel") else values
        for name, values in weights.items()
    }


def with_layers(source: Weights, layers: Mapping[str, str], weights: Weights) -> Weights:
    """Return `source` with some layers replaced by those in `weights`.

    `layers` maps labels in `weights` to labels in `source`.
    """
    changed = dict(source)
    for name, values in weights.items():
        label, variable = name.split("/")
        if label in layers:
            changed[f"{layers[label]}/{variable}"] = values
    return changed
