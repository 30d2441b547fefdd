"""The adaptive optimizers except FTRL: AdaGrad, RMSProp and the Adam family.

None is `torch.optim`'s class, which takes one rate for all lanes; where its equation differs, the
class here says so. Most equations are rearranged so that a fused kernel of PyTorch computes them.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from manyseeds.techniques import optimizers as techniques
from manyseeds_pytorch.optimizers_base import (
    LaneOptimizer,
    OptimizerT,
    ParameterTile,
    StepRate,
    Tensors,
)
from manyseeds_pytorch.optimizers_fused import fused_adagrad, fused_adam

_LEAST_RHO = 1e-30
"""Stands for a rho of 0, which would be divided by."""


class AdaptiveOptimizer(LaneOptimizer[OptimizerT]):
    """Base of optimizers without momentum that take the rate as one number.

    Lanes with the same rate are updated together; usually that is all lanes.
    """

    _rate: float | None = None

    def begin_step(self, step_rate: StepRate) -> Tensor:
        """Prepare a step: check whether all lanes have the same rate."""
        first = step_rate.rates[0]
        self._rate = float(first) if np.all(np.equal(step_rate.rates, first)) else None
        return super().begin_step(step_rate)

    def update_tile(self, tile: ParameterTile) -> None:
        """Update a tile in place, lanes with the same rate at a time."""
        if self._rate is not None:
            self.update_lanes(*tile.operands, rate=self._rate)
            return
        for lanes, rate in self.step_rate.equal_rates(tile.lanes):
            operands = ([tensor[lanes] for tensor in tensors] for tensors in tile.operands)
            self.update_lanes(*operands, rate=rate)

    def update_lanes(self, *operands: Tensors, rate: float) -> None:
        """Update lanes with the same rate in place; operands: parameters, gradients, states."""
        raise NotImplementedError


class LaneAdagrad(AdaptiveOptimizer[techniques.Adagrad]):
    """s <- s + g^2; theta <- theta - eta g / sqrt(s + eps); `torch.optim` has eps outside the root.

    The state is s + eps, of which PyTorch's AdaGrad takes the root if its own eps is 0.
    """

    def initial_states(self) -> tuple[float, ...]:
        """Return the initial s + eps."""
        return (self.technique.accumulator + self.technique.epsilon,)

    def update_lanes(self, *operands: Tensors, rate: float) -> None:
        """Update in place."""
        fused_adagrad(*operands, rate=rate, epsilon=0.0)


class LaneRmsprop(AdaptiveOptimizer[techniques.Rmsprop]):
    """s <- rho s + (1-rho) g^2, theta as in AdaGrad; `torch.optim` has eps outside the root.

    The state is s + eps, which makes it Adam without momentum, bias correction and eps.
    """

    def initial_states(self) -> tuple[float, ...]:
        """Return the initial s + eps."""
        return (self.technique.epsilon,)

    def update_lanes(self, *operands: Tensors, rate: float) -> None:
        """Update in place."""
        theta, g, s = operands
        rho = max(self.technique.rho, _LEAST_RHO)
        # s + eps <- rho (s + eps + eps (1-rho) / rho) + (1-rho) g^2
        torch._foreach_add_(s, self.technique.epsilon * (1 - rho) / rho)
        m = g  # With a beta1 of 0 the first moment is the gradient, and nothing reads it later.
        fused_adam(theta, g, m, s, rate=rate, beta1=0.0, beta2=rho, step=math.inf, epsilon=0.0)


class LaneAdamax(AdaptiveOptimizer[techniques.Adamax]):
    """m as in Adam; u <- max(b2 u, |g|); theta <- theta - eta m / ((1 - b1^t) (u + eps)).

    `torch.optim.Adamax` adds eps to |g|. The state is u^2: this is AMSGrad whose s is g^2 and whose
    largest s so far decays.
    """

    def initial_states(self) -> tuple[float, ...]:
        """Return the initial m and u^2."""
        return (0.0, 0.0)

    def update_lanes(self, *operands: Tensors, rate: float) -> None:
        """Update in place."""
        theta, g, m, largest = operands
        technique = self.technique
        torch._foreach_mul_(largest, technique.beta2**2)
        fused_adam(
            *(theta, g, m, g, largest),  # g^2 may overwrite g, which nothing reads later.
            rate=rate,
            beta1=technique.beta1,
            beta2=0.0,
            step=self.steps,
            epsilon=technique.epsilon,
        )


class LaneAdam(AdaptiveOptimizer[techniques.Adam]):
    """Adam, with the equation and the fused kernel of `torch.optim.Adam`."""

    def initial_states(self) -> tuple[float, ...]:
        """Return the initial m and s."""
        return (0.0, 0.0)

    def update_lanes(self, *operands: Tensors, rate: float) -> None:
        """Update in place."""
        technique = self.technique
        fused_adam(
            *operands,
            rate=rate,
            beta1=technique.beta1,
            beta2=technique.beta2,
            step=self.steps,
            epsilon=technique.epsilon,
        )


class LaneNadam(AdaptiveOptimizer[techniques.Nadam | techniques.NadamKeras3]):
    """Adam with Nesterov's momentum, as `torch.optim.NAdam`; Keras 3's has another decay."""

    _product = 1.0

    def initial_states(self) -> tuple[float, ...]:
        """Return the initial m and s."""
        return (0.0, 0.0)

    def begin_step(self, step_rate: StepRate) -> Tensor:
        """Prepare a step: update M_t, the product of mu_1 to mu_t."""
        factors = super().begin_step(step_rate)
        self._product *= self._mu(self.steps)
        return factors

    def _mu(self, t: int) -> float:
        return self.technique.beta1 * (1 - 0.96 ** (self.technique.decay * t) / 2)

    def update_lanes(self, *operands: Tensors, rate: float) -> None:
        """Update in place.

        m^ = a m' + b g, where m' is the new m, equals (a + b) times the moment x that Adam makes of
        m and g with beta1 = b1 a / (a + b), before Adam's bias correction. Adam leaves x in m, and
        m' follows from it and g: m' = x + (g - x) (-b / a).
        """
        theta, g, m, s = operands
        technique = self.technique
        following = self._mu(self.steps + 1)
        a = following / (1 - self._product * following)
        b = (1 - self._mu(self.steps)) / (1 - self._product)
        beta1 = technique.beta1 * a / (a + b)
        fused_adam(
            *(theta, g, m, s),
            rate=rate * (a + b) * (1 - beta1**self.steps),
            beta1=beta1,
            beta2=technique.beta2,
            step=self.steps,
            epsilon=technique.epsilon,
        )
        if a > 0:  # Otherwise b1 is 0, and nothing reads m.
            torch._foreach_lerp_(m, g, -b / a)
