"""A backend that notes what passes through it: what the harness asks for, and what weights result.

`follow` keeps what a backend makes of a recipe. Whether the harness asked for something else (other
first weights, order, rates, noise, images, data) or the backend did something else with it can be
told only if what was asked is kept, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.protocols import Backend, Cohort
from manyseeds.backend.values import EpochPlan, EpochTrace, Splits
from manyseeds.check.numerics.fingerprint import of_bytes, of_group
from manyseeds.suite.recipe import Phase
from manyseeds.techniques.network import Network, Weights

Arrays = dict[str, NDArray[Any]]


@dataclass
class Asked:
    """What the harness asked of one phase, and the weights after each stretch of steps."""

    data: np.uint64
    first: NDArray[np.float64]
    noise: np.uint64
    plans: list[EpochPlan] = field(default_factory=list)
    moved: list[NDArray[np.float64]] = field(default_factory=list)
    averages: list[NDArray[np.float64]] = field(default_factory=list)

    def arrays(self) -> Arrays:
        """Return it by name; the steps are on the second axis, or the only one."""
        rates = [plan.rate for plan in self.plans]
        momenta = [plan.momentum for plan in self.plans if plan.momentum is not None]
        found: Arrays = {
            "asked/data": np.array([self.data]),
            "asked/noise": np.array([self.noise]),
            "asked/first": self.first,
            "asked/rate": np.concatenate(rates, axis=1),
            "asked/order": np.array([of_bytes(plan.order) for plan in self.plans]),
            "asked/counter": np.array([plan.step for plan in self.plans]),
            "moved": np.stack(self.moved, axis=1),
        }
        if self.averages:
            found["averages"] = np.stack(self.averages, axis=1)
        if momenta:
            found["asked/momentum"] = np.concatenate(momenta, axis=1)
        images = [of_group(vars(plan.changes), leading=1) for plan in self.plans if plan.changes]
        if images:
            found["asked/images"] = np.stack(images, axis=1)
        return found

    def note(self, weights: Weights) -> None:
        """Note weights after a stretch of steps: what is trained, and what follows the data."""
        averages = {name: values for name, values in weights.items() if "/moving_" in name}
        trained = {name: values for name, values in weights.items() if name not in averages}
        self.moved.append(of_group(trained, leading=1))
        if averages:
            self.averages.append(of_group(averages, leading=1))


class RecordingBackend:
    """A backend whose cohorts note what is asked of them, a phase after the other."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.phases: list[Asked] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def cohort(self, network: Network, data: Splits, lanes: int) -> RecordingCohort:
        """Return the backend's cohort, listened to."""
        return RecordingCohort(self._backend.cohort(network, data, lanes), data, self.phases)


class RecordingCohort:
    """A cohort that notes what is asked of it and what becomes of its weights."""

    def __init__(self, cohort: Cohort, data: Splits, phases: list[Asked]) -> None:
        self._cohort = cohort
        self._data = data
        self._phases = phases

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cohort, name)

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Note the weights a phase starts with."""
        splits = (self._data.train, self._data.valid, self._data.test)
        data = of_bytes(*(part for split in splits for part in (split.inputs, split.labels)))
        self._phases.append(Asked(data, of_group(weights, leading=1), of_bytes()))
        self._cohort.begin(phase, weights)

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Note what is asked for and the weights it leaves."""
        phase = self._phases[-1]
        phase.plans.append(epoch)
        phase.noise = of_bytes(*epoch.noise.values())
        trace = self._cohort.train(epoch)
        phase.note(self._cohort.weights())
        return trace
