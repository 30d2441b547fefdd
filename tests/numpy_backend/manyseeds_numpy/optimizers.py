"""The optimizers of `manyseeds.optimizers`: each updates a weight in place, all lanes at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.optimizers import Adam, Momentum, Nesterov, Optimizer
from manyseeds_numpy.network import Weights

Array = NDArray[np.floating[Any]]


class LaneOptimizer:
    """An optimizer with what it remembers: zeros at first, for every weight it has met.

    Parameters
    ----------
    wanted
        Which, and its hyperparameters.
    """

    def __init__(self, wanted: Optimizer) -> None:
        self._wanted = wanted
        self._first: Weights = {}
        self._second: Weights = {}
        self._steps = 0

    def step(
        self, weights: Weights, gradients: Weights, rate: Array, momentum: Array | None
    ) -> None:
        """Take a step with rates and momenta [lanes]."""
        self._steps += 1
        for name, g in gradients.items():
            theta = weights[name]
            m = self._first.setdefault(name, np.zeros_like(theta))
            s = self._second.setdefault(name, np.zeros_like(theta))
            beta = None if momentum is None else _lanes(momentum, theta)
            theta += self._change(g, m, s, _lanes(rate, theta), beta)

    def _change(self, g: Array, m: Array, s: Array, rate: Array, beta: Array | None) -> Array:
        """Return what to add to the weight; `m` and `s` are updated in place."""
        match self._wanted:
            case Momentum():
                m[...] = beta * m - rate * g
                return m
            case Nesterov():
                m[...] = beta * m - rate * g
                return beta * m - rate * g
            case Adam(beta1=beta1, beta2=beta2, epsilon=epsilon):
                m[...] = beta1 * m + (1 - beta1) * g
                s[...] = beta2 * s + (1 - beta2) * g * g
                unbiased = m / (1 - beta1**self._steps)
                return -rate * unbiased / (np.sqrt(s / (1 - beta2**self._steps)) + epsilon)
            case _:
                return -rate * g


def _lanes(values: Array, like: Array) -> Array:
    """Return values [lanes] in the shape [lanes, 1, …] and the type of a weight."""
    return values.astype(like.dtype).reshape(-1, *(1,) * (like.ndim - 1))
