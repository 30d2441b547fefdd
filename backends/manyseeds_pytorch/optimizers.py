"""The optimizers of `manyseeds.optimizers`, with a rate and a momentum for every lane.

`torch.optim`'s own classes take one rate for all; these subclasses take tensors. The equations are
`torch.optim`'s where it has the canonical ones, see each class.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from manyseeds import optimizers as definition

Tensors = list[Tensor]


class LaneOptimizer(torch.optim.Optimizer):
    """Base: parameters [lanes, ...], updated in tiles of lanes.

    Parameters
    ----------
    parameters
        What is trained; each has its `.grad` already, which stays the same tensor.

    Attributes
    ----------
    slots
        How many tensors an optimizer keeps for every parameter; they start at zero.
    tile_bytes
        On a CPU, how many bytes of parameters are updated at a time; None: all of them.
    """

    slots = 0
    tile_bytes: int | None = None

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        super().__init__(parameters, defaults={"lr": None, "momentum": None})
        self._kept = [
            [torch.zeros_like(parameter, requires_grad=False) for parameter in parameters]
            for _ in range(self.slots)
        ]
        values = [parameter.detach() for parameter in parameters]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        self._tiles = [
            (span, [[tensor[span] for tensor in role] for role in (values, gradients, *self._kept)])
            for span in _tiles(values, self.tile_bytes)
        ]
        self.steps = 0

    def schedule(self, rate: Tensor, momentum: Tensor | None) -> None:
        """Set the next step's rate and momentum, [lanes, 1, 1]."""
        self.param_groups[0].update(lr=rate, momentum=momentum)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take a step, with the gradients as they stand in `.grad`."""
        self.steps += 1
        group = self.param_groups[0]
        rate, momentum = group["lr"], group["momentum"]
        for span, roles in self._tiles:
            size = len(roles[0])
            self.update(
                *roles,
                rate=[rate[span]] * size,
                momentum=[] if momentum is None else [momentum[span]] * size,
            )

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update parameters in place, given (parameters, gradients, what is kept ...)."""
        raise NotImplementedError


class Sgd(LaneOptimizer):
    """theta <- theta - eta g, as `torch.optim.SGD`."""

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g = roles
        torch._foreach_addcmul_(theta, g, rate, value=-1.0)


class Momentum(LaneOptimizer):
    """m <- beta m - eta g; theta <- theta + m.

    `torch.optim.SGD` keeps the velocity without the rate: another path once the rate changes.
    """

    slots = 1

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g, m = roles
        torch._foreach_mul_(m, momentum)
        torch._foreach_addcmul_(m, g, rate, value=-1.0)
        torch._foreach_add_(theta, m)


class Nesterov(LaneOptimizer):
    """m <- beta m - eta g; theta <- theta + beta m - eta g, theta being the look-ahead point.

    Not `torch.optim.SGD(nesterov=True)`, for the same reason as `Momentum`.
    """

    slots = 1

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g, m = roles
        torch._foreach_mul_(m, momentum)
        torch._foreach_addcmul_(m, g, rate, value=-1.0)
        torch._foreach_addcmul_(theta, m, momentum)
        torch._foreach_addcmul_(theta, g, rate, value=-1.0)


class Adam(LaneOptimizer):
    """Adam as `torch.optim.Adam`: epsilon outside the root, after bias correction."""

    slots = 2
    tile_bytes = 4 << 20  # What is temporary is then small enough to be reused, not mapped anew.

    def __init__(
        self, parameters: Sequence[Tensor], *, beta1: float, beta2: float, epsilon: float
    ) -> None:
        super().__init__(parameters)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g, m, s = roles
        torch._foreach_lerp_(m, g, 1 - self.beta1)
        torch._foreach_mul_(s, self.beta2)
        torch._foreach_addcmul_(s, g, g, value=1 - self.beta2)
        root = torch._foreach_sqrt(s)
        torch._foreach_div_(root, (1 - self.beta2**self.steps) ** 0.5)
        torch._foreach_add_(root, self.epsilon)
        step = torch._foreach_mul(m, rate)
        torch._foreach_addcdiv_(theta, step, root, value=-1 / (1 - self.beta1**self.steps))


def optimizer(wanted: definition.Optimizer, parameters: Sequence[Tensor]) -> LaneOptimizer:
    """Return a fresh optimizer, every hyperparameter spelled out."""
    match wanted:
        case definition.Sgd():
            return Sgd(parameters)
        case definition.Momentum():
            return Momentum(parameters)
        case definition.Nesterov():
            return Nesterov(parameters)
        case definition.Adam():
            return Adam(parameters, beta1=wanted.beta1, beta2=wanted.beta2, epsilon=wanted.epsilon)


def _tiles(values: Tensors, tile_bytes: int | None) -> list[slice]:
    """Return the lanes of each tile: all of them at once on a GPU."""
    lanes = len(values[0])
    if tile_bytes is None or values[0].device.type != "cpu":
        return [slice(0, lanes)]
    lane_bytes = sum(value[0].numel() * value.element_size() for value in values)
    size = max(1, tile_bytes // lane_bytes)
    return [slice(first, min(first + size, lanes)) for first in range(0, lanes, size)]
