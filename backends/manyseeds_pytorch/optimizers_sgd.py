"""Stochastic gradient descent: plain, with momentum, and with Nesterov's momentum."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from manyseeds.techniques import optimizers as techniques
from manyseeds_pytorch.optimizers_base import LaneOptimizer, OptimizerT, StepRate, Tensors


class LaneSgd(LaneOptimizer[techniques.Sgd]):
    """theta <- theta - eta g, as `torch.optim.SGD`."""

    def update(self, *operands: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g = operands
        torch._foreach_addcmul_(theta, g, rate, value=-1.0)


class LaneMomentum(LaneOptimizer[techniques.Momentum]):
    """m <- beta m - eta g; theta <- theta + m.

    `torch.optim.SGD` keeps the velocity without the rate, which is another trajectory once the rate
    changes.
    """

    def initial_states(self) -> tuple[float, ...]:
        """Return the initial velocity m."""
        return (0.0,)

    def update(self, *operands: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g, m = operands
        torch._foreach_mul_(m, momentum)
        torch._foreach_addcmul_(m, g, rate, value=-1.0)
        torch._foreach_add_(theta, m)


class LaneNesterov(LaneOptimizer[techniques.Nesterov]):
    """m <- beta m - eta g; theta <- theta + beta m - eta g, where theta is the look-ahead point.

    `torch.optim.SGD(nesterov=True)` differs for the same reason as in `LaneMomentum`.
    """

    def initial_states(self) -> tuple[float, ...]:
        """Return the initial velocity m."""
        return (0.0,)

    def update(self, *operands: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g, m = operands
        torch._foreach_mul_(m, momentum)
        torch._foreach_addcmul_(m, g, rate, value=-1.0)
        torch._foreach_addcmul_(theta, m, momentum)
        torch._foreach_addcmul_(theta, g, rate, value=-1.0)


class _InBackward(LaneOptimizer[OptimizerT]):
    """Base of optimizers whose backward pass does most of the work; they allow no hooks before."""

    in_backward = True

    def late_slices(self, late: Sequence[int]) -> list[slice]:
        """Return all lanes at once, unless hooks follow the update's only operation."""
        return super().late_slices(late) if self._after else [slice(0, len(self._parameters[0]))]


class SgdInBackward(_InBackward[techniques.Sgd]):
    """theta <- theta - eta g, all of it done by the backward pass."""

    def make_buffers(self, late: Sequence[int]) -> dict[int, Tensor]:
        """Return the parameters themselves."""
        return dict(enumerate(self._parameters))

    def update(self, *operands: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Do nothing: the backward pass has updated the parameters."""


class MomentumInBackward(_InBackward[techniques.Momentum]):
    """m <- beta m - eta g; theta <- theta + m, where the velocities m are the gradient buffers."""

    def begin_step(self, step_rate: StepRate) -> Tensor:
        """Multiply the velocities by beta; the backward pass adds -eta g."""
        assert step_rate.momentum is not None
        velocities = list(self.gradient_buffers.values())
        torch._foreach_mul_(velocities, [step_rate.momentum] * len(velocities))
        return super().begin_step(step_rate)

    def update(self, *operands: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, m = operands
        torch._foreach_add_(theta, m)
