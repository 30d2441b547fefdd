"""Learning-rate schedules by name: the rate of every step, computed in NumPy before the epoch.

A schedule is a pure function of the clock and of the validation losses seen so far, so that a
rule that watches the validation loss decides for each lane on its own.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from manyseeds.technique import Technique, by_name

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clock:
    """Where an epoch stands in its phase.

    Attributes
    ----------
    epoch
        Epochs of the phase that have ended.
    steps
        Steps in one epoch, the last smaller batch included.
    epochs
        Epochs the phase may last.
    """

    epoch: int
    steps: int
    epochs: int

    def step_numbers(self) -> Floats:
        """Return t of each step of this epoch, counted from the phase's start, [steps]."""
        return np.arange(self.epoch * self.steps, (self.epoch + 1) * self.steps, dtype=float)


class _Schedule(Technique):
    kind: ClassVar[str] = "schedule"

    @abstractmethod
    def rates(self, rate: float, clock: Clock, valid_loss: Floats) -> Floats:
        """Return the rate of each step of the epoch.

        Parameters
        ----------
        rate
            The phase's rate, eta0.
        clock
            Which epoch, and how long.
        valid_loss
            Validation losses so far, [epochs so far, lanes].

        Returns
        -------
        Rates, [lanes, steps].
        """


def _same_for_all(rates: Floats, valid_loss: Floats) -> Floats:
    return np.broadcast_to(rates, (valid_loss.shape[1], len(rates))).copy()


class ConstantRate(_Schedule):
    """The rate stays as it is."""

    source: ClassVar[str] = "Géron 2019, ch. 11"
    name: Literal["constant"] = "constant"

    def rates(self, rate: float, clock: Clock, valid_loss: Floats) -> Floats:
        """Return eta0 at every step."""
        return _same_for_all(np.full(clock.steps, rate), valid_loss)


class Power(_Schedule):
    """eta0 / (1 + t/s)^c, per step."""

    source: ClassVar[str] = "Géron 2019, ch. 11, power scheduling"
    name: Literal["power"] = "power"
    s: float = Field(default=10_000.0, gt=0)
    c: float = Field(default=1.0, ge=0)

    def rates(self, rate: float, clock: Clock, valid_loss: Floats) -> Floats:
        """Return the rate of each step."""
        t = clock.step_numbers()
        return _same_for_all(rate / (1 + t / self.s) ** self.c, valid_loss)


class Exponential(_Schedule):
    """eta0 * 0.1^(t/s): a tenth every s steps, or epochs if `per = "epoch"`."""

    source: ClassVar[str] = "Géron 2019, ch. 11, exponential scheduling"
    name: Literal["exponential"] = "exponential"
    s: float = Field(default=20.0, gt=0)
    per: Literal["epoch", "step"] = "epoch"

    def rates(self, rate: float, clock: Clock, valid_loss: Floats) -> Floats:
        """Return the rate of each step."""
        t = np.full(clock.steps, float(clock.epoch))
        if self.per == "step":
            t = clock.step_numbers()
        return _same_for_all(rate * 0.1 ** (t / self.s), valid_loss)


Schedule = Annotated[
    Annotated[ConstantRate | Power | Exponential, Field(discriminator="name")],
    BeforeValidator(by_name),
]
