"""The optimizers of `manyseeds.optimizers`, with a rate and a momentum for every lane.

`torch.optim`'s own classes take one rate for all lanes. The equations are `torch.optim`'s where it
has the canonical ones, see each class.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from manyseeds import optimizers as definition

Tensors = list[Tensor]


class LaneOptimizer:
    """Base: parameters [lanes, ...], updated in tiles of lanes.

    Parameters
    ----------
    parameters
        What is trained.

    Attributes
    ----------
    absorbs
        Whether the backward pass itself adds -eta g to `rooms`, so that g is never written down and
        read again: that is a third of a step's traffic with the memory. Otherwise it leaves g
        there.
    slots
        How many tensors an optimizer keeps for every parameter; they start at zero.
    tile_bytes
        On a CPU, how many bytes of parameters are updated at a time; None: all of them.
    """

    absorbs = False
    slots = 0
    tile_bytes: int | None = None

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._values = [parameter.detach() for parameter in parameters]
        self._kept = [[torch.zeros_like(v) for v in self._values] for _ in range(self.slots)]
        self.rooms = self.make_rooms()
        roles = (self._values, self.rooms, *self._kept)
        self._tiles = [
            (span, [[tensor[span] for tensor in role] for role in roles])
            for span in _tiles(self._values, self.tile_bytes)
        ]
        self.steps = 0

    def make_rooms(self) -> Tensors:
        """Return where the backward pass leaves what it finds, a tensor for each parameter."""
        return [torch.zeros_like(value) for value in self._values]

    def begin(self, rate: Tensor, momentum: Tensor | None) -> Tensor:
        """Prepare a step, with its rate and momentum [lanes, 1, 1].

        Returns
        -------
        Tensor
            What the gradient of every lane's loss starts from, [lanes]: 1, or -eta.
        """
        self.steps += 1
        self._rate, self._momentum = rate, momentum
        return -rate.view(-1) if self.absorbs else torch.ones_like(rate).view(-1)

    @torch.no_grad()
    def step(self) -> None:
        """Take the step, with what the backward pass left."""
        rate, momentum = self._rate, self._momentum
        for span, roles in self._tiles:
            size = len(roles[0])
            self.update(
                *roles,
                rate=[rate[span]] * size,
                momentum=[] if momentum is None else [momentum[span]] * size,
            )

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update parameters in place, given (parameters, rooms, what is kept ...)."""
        raise NotImplementedError


class Sgd(LaneOptimizer):
    """theta <- theta - eta g, as `torch.optim.SGD`: the backward pass does it all."""

    absorbs = True

    def make_rooms(self) -> Tensors:
        """Return the parameters themselves."""
        return self._values

    def step(self) -> None:
        """Do nothing more."""


class Momentum(LaneOptimizer):
    """m <- beta m - eta g; theta <- theta + m.

    `torch.optim.SGD` keeps the velocity without the rate: another path once the rate changes.
    """

    absorbs = True

    def begin(self, rate: Tensor, momentum: Tensor | None) -> Tensor:
        """Multiply the velocities by beta; the backward pass adds -eta g."""
        assert momentum is not None
        torch._foreach_mul_(self.rooms, [momentum] * len(self.rooms))
        return super().begin(rate, momentum)

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, m = roles
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
