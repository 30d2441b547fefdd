"""Follow the regularised leader, with and without l1; `torch.optim` has no such optimizer."""

from __future__ import annotations

import torch
from torch import Tensor

from manyseeds.backend.values import Floats
from manyseeds.techniques import optimizers as techniques
from manyseeds_pytorch.optimizers_adaptive import AdaptiveOptimizer
from manyseeds_pytorch.optimizers_base import ParameterTile, StepRate, Tensors
from manyseeds_pytorch.optimizers_fused import fused_adagrad


class LaneFtrl(AdaptiveOptimizer[techniques.Ftrl]):
    """Follow the regularised leader, per coordinate."""

    def initial_states(self) -> tuple[float, ...]:
        """Return the initial n and z."""
        return (self.technique.accumulator, 0.0)

    def update_lanes(self, *operands: Tensors, rate: float) -> None:
        """Update in place."""
        theta, g, n, z = operands
        change = torch._foreach_sqrt(n)
        torch._foreach_addcmul_(n, g, g)
        root = torch._foreach_sqrt(n)
        torch._foreach_sub_(change, root)
        # z <- z + g - (sqrt(n') - sqrt(n)) theta / eta
        torch._foreach_add_(z, g)
        torch._foreach_addcmul_(z, change, theta, value=1 / rate)
        # theta <- (clip(z, -l1, l1) - z) / (sqrt(n') / eta + 2 l2)
        torch._foreach_mul_(root, 1 / rate)
        torch._foreach_add_(root, 2 * self.technique.l2)
        for parameter, total, scale in zip(theta, z, root, strict=True):
            torch.clamp(total, -self.technique.l1, self.technique.l1, out=parameter)
            parameter.sub_(total).div_(scale)


class SmoothFtrl(AdaptiveOptimizer[techniques.Ftrl]):
    """FTRL with an l1 of 0 and no constraint on theta: AdaGrad, as long as eta stays the same.

    After a step theta is -z / (sqrt(n) / eta + 2 l2), so z need not be stored. With the next step's
    rate eta', that gives theta <- theta - eta' (g + pull theta) / (sqrt(n') + 2 l2 eta') where
    pull = sqrt(n) (1 / eta' - 1 / eta). In the first step, which starts from a z of 0 whatever
    theta is, pull = sqrt(n) / eta' + 2 l2. See McMahan 2011, "Follow-the-Regularized-Leader and
    Mirror Descent".
    """

    _rates: Floats | None = None

    def initial_states(self) -> tuple[float, ...]:
        """Return the initial n."""
        return (self.technique.accumulator,)

    def begin_step(self, step_rate: StepRate) -> Tensor:
        """Prepare a step: compute how much 1 / eta has changed in each lane."""
        changes = 1 / step_rate.rates - (0.0 if self._rates is None else 1 / self._rates)
        changed = changes.any()
        self._changes = step_rate.rate.new_tensor(changes)[:, None, None] if changed else None
        self._rates = step_rate.rates
        return super().begin_step(step_rate)

    def update_tile(self, tile: ParameterTile) -> None:
        """Update a tile in place; its pull is usually 0."""
        if self._changes is None:
            return super().update_tile(tile)
        theta, (n,) = tile.parameters, tile.states
        pull = torch._foreach_sqrt(n)
        torch._foreach_mul_(pull, [self._changes[tile.lanes]] * len(pull))
        if self.steps == 1:
            torch._foreach_add_(pull, 2 * self.technique.l2)
        torch._foreach_mul_(pull, theta)
        super().update_tile(tile)
        rate = self.step_rate.rate[tile.lanes]
        scale = torch._foreach_sqrt(n)
        torch._foreach_add_(scale, [2 * self.technique.l2 * rate] * len(scale))
        torch._foreach_mul_(pull, [rate] * len(pull))
        torch._foreach_addcdiv_(theta, pull, scale, value=-1.0)
        return None

    def update_lanes(self, *operands: Tensors, rate: float) -> None:
        """Update in place, without the pull."""
        fused_adagrad(*operands, rate=rate, epsilon=2 * self.technique.l2 * rate)
