"""Learning-rate schedules: the rate of every step, computed in NumPy before the epoch.

A schedule is a pure function of the clock and of the validation losses so far, so that a rule
that watches the validation loss decides for each lane on its own.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from manyseeds.techniques.technique import Technique, by_name

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clock:
    """The position of an epoch in its phase.

    Attributes
    ----------
    epoch
        Number of epochs of the phase that have ended.
    steps
        Number of steps in an epoch, the last smaller batch included.
    epochs
        Number of epochs that the phase may last.
    """

    epoch: int
    steps: int
    epochs: int

    def step_numbers(self) -> Floats:
        """Return t of every step of this epoch, counted from 0 at the phase's start, [steps]."""
        return np.arange(self.epoch * self.steps, (self.epoch + 1) * self.steps, dtype=float)


class _Schedule(Technique):
    kind: ClassVar[str] = "schedule"

    @abstractmethod
    def rates(self, rate: float, clock: Clock, valid_loss: Floats) -> Floats:
        """Return the learning rate of every step of the epoch.

        Parameters
        ----------
        rate
            The phase's rate, eta0.
        clock
            The epoch and its length.
        valid_loss
            Validation losses so far, [epochs so far, lanes].

        Returns
        -------
        Floats
            Learning rates, [lanes, steps].
        """

    def momenta(self, momentum: float, clock: Clock) -> Floats:
        """Return the momentum of every step, [steps]: the optimizer's own, unless overridden."""
        return np.full(clock.steps, momentum)

    def moves_momentum(self) -> bool:
        """Return whether the schedule also changes the optimizer's momentum."""
        return False

    def least_steps(self) -> int:
        """Return the number of steps below which a phase has no step at its rate."""
        return 1


def _same_for_all(rates: Floats, valid_loss: Floats) -> Floats:
    """Return the rates [steps] repeated for every lane, [lanes, steps]."""
    return np.broadcast_to(rates, (valid_loss.shape[1], len(rates))).copy()


class ConstantRate(_Schedule):
    """The rate stays as it is."""

    source: ClassVar[str] = "Géron 2019, ch. 11"
    name: Literal["constant"] = "constant"

    def rates(self, rate: float, clock: Clock, valid_loss: Floats) -> Floats:
        """Return eta0 for every step."""
        return _same_for_all(np.full(clock.steps, rate), valid_loss)


class Power(_Schedule):
    """eta0 / (1 + t/s)^c, per step.

    >>> losses = np.empty((0, 1))
    >>> Power(s=2.0).rates(0.6, Clock(epoch=0, steps=3, epochs=1), losses).round(3).tolist()
    [[0.6, 0.4, 0.3]]
    """

    source: ClassVar[str] = "Géron 2019, ch. 11, power scheduling"
    name: Literal["power"] = "power"
    s: float = Field(default=10_000.0, gt=0)
    c: float = Field(default=1.0, ge=0)

    def rates(self, rate: float, clock: Clock, valid_loss: Floats) -> Floats:
        """Return the rate of every step, [lanes, steps]."""
        t = clock.step_numbers()
        return _same_for_all(rate / (1 + t / self.s) ** self.c, valid_loss)


class Exponential(_Schedule):
    """eta0 * 0.1^(t/s): divided by 10 every s epochs, or every s steps if `per = "step"`."""

    source: ClassVar[str] = "Géron 2019, ch. 11, exponential scheduling"
    name: Literal["exponential"] = "exponential"
    s: float = Field(default=20.0, gt=0)
    per: Literal["epoch", "step"] = "epoch"

    def rates(self, rate: float, clock: Clock, valid_loss: Floats) -> Floats:
        """Return the rate of every step, [lanes, steps]."""
        t = np.full(clock.steps, float(clock.epoch))
        if self.per == "step":
            t = clock.step_numbers()
        return _same_for_all(rate * 0.1 ** (t / self.s), valid_loss)


class ExponentialDecay(_Schedule):
    """eta0 * decay^(t / s), per step: the Keras schedule that the chapter passes to SGD."""

    source: ClassVar[str] = "Géron 2019, ch. 11, keras.optimizers.schedules.ExponentialDecay"
    name: Literal["exponential_decay"] = "exponential_decay"
    s: float = Field(default=10_000.0, gt=0)
    decay: float = Field(default=0.1, gt=0)

    def rates(self, rate: float, clock: Clock, valid_loss: Floats) -> Floats:
        """Return the rate of every step, [lanes, steps]."""
        t = clock.step_numbers()
        return _same_for_all(rate * self.decay ** (t / self.s), valid_loss)


class Piecewise(_Schedule):
    """One rate up to each boundary, and the last rate from the last boundary on.

    The phase's own rate is the first. `later` has one further rate for each of the `boundaries`,
    which are epochs.
    """

    source: ClassVar[str] = "Géron 2019, ch. 11, piecewise constant scheduling"
    name: Literal["piecewise"] = "piecewise"
    boundaries: tuple[int, ...] = Field(min_length=1)
    later: tuple[float, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Piecewise:
        if len(self.boundaries) != len(self.later):
            raise ValueError(
                f"{len(self.boundaries)} boundaries and {len(self.later)} later rates: "
                "expected one rate for each boundary"
            )
        if any(a >= b for a, b in pairwise((0, *self.boundaries))):
            raise ValueError("boundaries must be epochs, from 1, each later than the one before")
        if any(rate <= 0 for rate in self.later):
            raise ValueError("later rates must be above 0")
        return self

    def rates(self, rate: float, clock: Clock, valid_loss: Floats) -> Floats:
        """Return the epoch's rate for every step."""
        passed = sum(clock.epoch >= boundary for boundary in self.boundaries)
        return _same_for_all(np.full(clock.steps, (rate, *self.later)[passed]), valid_loss)


class Performance(_Schedule):
    """The rate times `factor` whenever the validation loss has not improved for `patience` epochs.

    A loss improves if it is more than `least` below the best so far; there is no cooldown. Every
    lane has its own rate.
    """

    source: ClassVar[str] = "Géron 2019, ch. 11, performance scheduling (ReduceLROnPlateau)"
    name: Literal["performance"] = "performance"
    factor: float = Field(default=0.5, gt=0, lt=1)
    patience: int = Field(default=5, ge=1)
    least: float = Field(default=1e-4, ge=0)

    def rates(self, rate: float, clock: Clock, valid_loss: Floats) -> Floats:
        """Return every lane's rate, the same for all steps of the epoch."""
        lanes = valid_loss.shape[1]
        best, waited = np.full(lanes, np.inf), np.zeros(lanes, dtype=int)
        current = np.full(lanes, rate)
        for loss in valid_loss:
            improved = loss < best - self.least
            best = np.where(improved, loss, best)
            waited = np.where(improved, 0, waited + 1)
            patient = waited < self.patience
            current = np.where(patient, current, current * self.factor)
            waited = np.where(patient, waited, 0)
        return np.repeat(current[:, None], clock.steps, axis=1)


class OneCycle(_Schedule):
    """Linear from eta0 to eta1, the phase's rate, and back; then a last tenth down to eta0/1000.

    Of n steps the tail has n // 10 + 1, and each half (n - tail) // 2; eta0 = eta1 / `start`. The
    tail goes from eta0 at step 2 * half towards eta0 / 1000 at step n. With `momentum`, the
    optimizer's momentum goes linearly from its own value to `momentum` and back, and keeps its own
    value during the tail. The rate eta1 is reached from 3 steps on: a shorter phase is refused.
    """

    source: ClassVar[str] = "Smith 2018; Géron 2019, ch. 11, 1cycle scheduling"
    name: Literal["one_cycle"] = "one_cycle"
    start: float = Field(default=10.0, gt=1)
    momentum: float | None = Field(default=None, ge=0, lt=1)

    def rates(self, rate: float, clock: Clock, valid_loss: Floats) -> Floats:
        """Return the rate of every step, [lanes, steps]."""
        low = rate / self.start
        return _same_for_all(self._path(clock, low, rate, low / 1000), valid_loss)

    def momenta(self, momentum: float, clock: Clock) -> Floats:
        """Return the momentum of every step, [steps]."""
        lowest = momentum if self.momentum is None else self.momentum
        return self._path(clock, momentum, lowest, momentum)

    def moves_momentum(self) -> bool:
        """Return whether the schedule has a lowest momentum."""
        return self.momentum is not None

    def least_steps(self) -> int:
        """Return the number of steps from which on there is one between the first and the tail."""
        return 3

    def _path(self, clock: Clock, ends: float, middle: float, last: float) -> Floats:
        """Return this epoch's steps of the line from `ends` to `middle`, back, and on to `last`."""
        n = clock.steps * clock.epochs
        half = (n - n // 10 - 1) // 2
        corners = ([0, half, 2 * half, n], [ends, middle, ends, last])
        return np.interp(clock.step_numbers(), *corners)


class WarmUp(_Schedule):
    """eta (t + 1) / k over the first k steps, where eta is the rate of the schedule `then`."""

    source: ClassVar[str] = "Goyal et al. 2017; Géron 2019, ch. 11"
    name: Literal["warmup"] = "warmup"
    k: int = Field(ge=1)
    then: Schedule = Field(default_factory=ConstantRate)

    def rates(self, rate: float, clock: Clock, valid_loss: Floats) -> Floats:
        """Return the rate of every step, [lanes, steps]."""
        share = np.minimum((clock.step_numbers() + 1) / self.k, 1)
        return self.then.rates(rate, clock, valid_loss) * share

    def momenta(self, momentum: float, clock: Clock) -> Floats:
        """Return the momenta of the schedule `then`, [steps]."""
        return self.then.momenta(momentum, clock)

    def moves_momentum(self) -> bool:
        """Return whether the schedule `then` changes the momentum."""
        return self.then.moves_momentum()

    def least_steps(self) -> int:
        """Return the number of steps that the schedule `then` needs."""
        return self.then.least_steps()


class RangeTest(_Schedule):
    """The rate grows from the phase's rate to `highest`, by the same factor at every step.

    eta_t = eta0 exp(t ln(highest / eta0) / n) over the phase's n steps. The loss of every batch is
    recorded; `manyseeds.techniques.range_test` derives suggestions from it.
    """

    source: ClassVar[str] = "Smith 2017; Géron 2019, ch. 11, learning rate range test"
    name: Literal["range_test"] = "range_test"
    highest: float = Field(default=10.0, gt=0)

    def rates(self, rate: float, clock: Clock, valid_loss: Floats) -> Floats:
        """Return the rate of every step, [lanes, steps]."""
        share = clock.step_numbers() / (clock.steps * clock.epochs)
        return _same_for_all(rate * (self.highest / rate) ** share, valid_loss)


Schedule = Annotated[
    Annotated[
        ConstantRate
        | Power
        | Exponential
        | ExponentialDecay
        | Piecewise
        | Performance
        | OneCycle
        | WarmUp
        | RangeTest,
        Field(discriminator="name"),
    ],
    BeforeValidator(by_name),
]
WarmUp.model_rebuild()
