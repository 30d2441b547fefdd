"""Counts of trials, and the Monte Carlo error of their share."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rate:
    """How many of some trials went one way."""

    count: int
    trials: int

    @classmethod
    def of(cls, outcomes):
        """Count the true values of an array."""
        flags = np.asarray(outcomes, dtype=bool)
        return cls(int(flags.sum()), flags.size)

    @property
    def share(self):
        return self.count / self.trials

    @property
    def error(self):
        """The standard error of the share; of 0 and 1, as if one trial had gone the other way."""
        likely = min(max(self.count, 1), self.trials - 1) / self.trials
        return math.sqrt(likely * (1 - likely) / self.trials)

    def __add__(self, other):
        return Rate(self.count + other.count, self.trials + other.trials)

    def above(self, bound, errors=3):
        """Return whether the true share is above a bound, beyond so many standard errors."""
        return self.share > bound + errors * math.sqrt(bound * (1 - bound) / self.trials)

    def below(self, bound, errors=3):
        """Return whether the true share is below a bound, beyond so many standard errors."""
        return self.share < bound - errors * math.sqrt(bound * (1 - bound) / self.trials)
