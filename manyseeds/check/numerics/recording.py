"""A backend that records the harness's requests and the weights after each step.

`follow` records the results of a backend. Only the requests (first weights, order, rates, noise,
images, data) show whether a difference came from the harness or from the backend.
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
class RecordedPhase:
    """The harness's requests of one phase, and the weights after each call of `train`.

    Attributes
    ----------
    data, noise
        Hashes of the data and of the keys of the noise.
    first
        Fingerprint of the first weights, [lanes, …].
    plans
        The plan that each call was given.
    moved, averages
        Fingerprints after each call, [lanes, …]: of the trained weights, and of moving averages.
    """

    data: np.uint64
    first: NDArray[np.float64]
    noise: np.uint64
    plans: list[EpochPlan] = field(default_factory=list)
    moved: list[NDArray[np.float64]] = field(default_factory=list)
    averages: list[NDArray[np.float64]] = field(default_factory=list)

    def arrays(self) -> Arrays:
        """Return the recording as arrays by name, with the steps on the second or the only axis."""
        rates = [plan.rate for plan in self.plans]
        momenta = [plan.momentum for plan in self.plans if plan.momentum is not None]
        arrays: Arrays = {
            "asked/data": np.array([self.data]),
            "asked/noise": np.array([self.noise]),
            "asked/first": self.first,
            "asked/rate": np.concatenate(rates, axis=1),
            "asked/order": np.array([of_bytes(plan.order) for plan in self.plans]),
            "asked/counter": np.array([plan.step for plan in self.plans]),
            "moved": np.stack(self.moved, axis=1),
        }
        if self.averages:
            arrays["averages"] = np.stack(self.averages, axis=1)
        if momenta:
            arrays["asked/momentum"] = np.concatenate(momenta, axis=1)
        images = [of_group(vars(plan.changes), leading=1) for plan in self.plans if plan.changes]
        if images:
            arrays["asked/images"] = np.stack(images, axis=1)
        return arrays

    def record(self, weights: Weights) -> None:
        """Record the weights after a call: trained ones, and moving averages of the data."""
        averages = {name: values for name, values in weights.items() if "/moving_" in name}
        trained = {name: values for name, values in weights.items() if name not in averages}
        self.moved.append(of_group(trained, leading=1))
        if averages:
            self.averages.append(of_group(averages, leading=1))


class RecordingBackend:
    """A backend whose cohorts record their phases, in order, in `phases`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.phases: list[RecordedPhase] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def cohort(self, network: Network, data: Splits, lanes: int) -> RecordingCohort:
        """Return a cohort of the backend that records its phases."""
        return RecordingCohort(self._backend.cohort(network, data, lanes), data, self.phases)


class RecordingCohort:
    """A cohort that records its requests and its weights."""

    def __init__(self, cohort: Cohort, data: Splits, phases: list[RecordedPhase]) -> None:
        self._cohort = cohort
        self._data = data
        self._phases = phases

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cohort, name)

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Record the data and the first weights of a phase, and begin it."""
        splits = (self._data.train, self._data.valid, self._data.test)
        data = of_bytes(*(part for split in splits for part in (split.inputs, split.labels)))
        self._phases.append(RecordedPhase(data, of_group(weights, leading=1), of_bytes()))
        self._cohort.begin(phase, weights)

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Record the request, train, and record the weights."""
        phase = self._phases[-1]
        phase.plans.append(epoch)
        phase.noise = of_bytes(*epoch.noise.values())
        trace = self._cohort.train(epoch)
        phase.record(self._cohort.weights())
        return trace
