"""What updates the parameters of all lanes, and the SGD family.

`torch.optim`'s own classes take one rate for all lanes. The equations are `torch.optim`'s where it
has the canonical ones, see each class. The adaptive optimizers are in `adaptive`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from manyseeds import optimizers as definition
from manyseeds.backend import Floats
from manyseeds_pytorch.device import tiles

Tensors = list[Tensor]

Hook = Callable[[slice, Tensors, Tensors], None]
"""What else a step does in place, to some lanes, given these lanes' parameters and gradients."""


@dataclass(frozen=True)
class Pace:
    """How fast the lanes go in a step.

    Attributes
    ----------
    rate, momentum
        [lanes, 1, 1], on the device; None for an optimizer without momentum.
    rates
        The rates again, [lanes], on the host.
    """

    rate: Tensor
    momentum: Tensor | None
    rates: Floats

    def runs(self, span: slice) -> Iterator[tuple[slice, float]]:
        """Yield neighbouring lanes of one rate, counted from the span's first, with the rate."""
        rates = self.rates[span]
        changes = (np.flatnonzero(np.diff(rates)) + 1).tolist()
        for first, last in pairwise([0, *changes, len(rates)]):
            yield slice(first, last), float(rates[first])


Wanted = TypeVar("Wanted", bound=definition.Optimizer)


class LaneOptimizer(Generic[Wanted]):
    """Base: parameters [lanes, ...], updated in tiles of lanes.

    Parameters
    ----------
    wanted
        The hyperparameters.
    parameters
        What is trained.
    before, after
        What happens to the gradients before the update, and to the parameters after it.

    Attributes
    ----------
    absorbs
        Whether the backward pass itself adds -eta g to `rooms`, so that g is never written down and
        read again: that is a third of a step's traffic with the memory. Otherwise it leaves g
        there.
    """

    absorbs = False

    def __init__(
        self,
        wanted: Wanted,
        parameters: Sequence[Tensor],
        before: Sequence[Hook],
        after: Sequence[Hook],
    ) -> None:
        self.wanted = wanted
        self._values = [parameter.detach() for parameter in parameters]
        self._kept = [[torch.full_like(v, start) for v in self._values] for start in self.first()]
        self._before, self._after = before, after
        self.rooms = self.make_rooms()
        roles = (self._values, self.rooms, *self._kept)
        self._tiles = [
            (span, [[tensor[span] for tensor in role] for role in roles]) for span in self.spans()
        ]
        self.steps = 0

    def first(self) -> tuple[float, ...]:
        """Return what the tensors that are kept for every parameter start at."""
        return ()

    def make_rooms(self) -> Tensors:
        """Return where the backward pass leaves what it finds, a tensor for each parameter."""
        return [torch.zeros_like(value) for value in self._values]

    def spans(self) -> list[slice]:
        """Return the lanes that are updated at a time.

        What is temporary is then small, and what one operation leaves the next finds in the cache.
        """
        return tiles(self._values)

    def begin(self, pace: Pace) -> Tensor:
        """Prepare a step.

        Returns
        -------
        Tensor
            What the gradient of every lane's loss starts from, [lanes]: 1, or -eta.
        """
        self.steps += 1
        self.pace, rate = pace, pace.rate
        return -rate.view(-1) if self.absorbs else torch.ones_like(rate).view(-1)

    @torch.no_grad()
    def step(self) -> None:
        """Take the step, with what the backward pass left."""
        for span, roles in self._tiles:
            parameters, rooms = roles[:2]
            for hook in self._before:
                hook(span, parameters, rooms)
            self.move(span, roles)
            for hook in self._after:
                hook(span, parameters, rooms)

    def move(self, span: slice, roles: list[Tensors]) -> None:
        """Update some lanes in place, given their (parameters, rooms, what is kept ...)."""
        size, rate, momentum = len(roles[0]), self.pace.rate, self.pace.momentum
        self.update(
            *roles,
            rate=[rate[span]] * size,
            momentum=[] if momentum is None else [momentum[span]] * size,
        )

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update lanes in place, given what `move` is, and their rates and momenta."""
        raise NotImplementedError


class _Absorbing(LaneOptimizer[Wanted]):
    """Base of those whose backward pass does most of the work: only where nothing comes before."""

    absorbs = True

    def spans(self) -> list[slice]:
        """Return all lanes at once, where one operation is all there is."""
        return super().spans() if self._after else [slice(0, len(self._values[0]))]


class AbsorbingSgd(_Absorbing[definition.Sgd]):
    """theta <- theta - eta g: the backward pass does it all."""

    def make_rooms(self) -> Tensors:
        """Return the parameters themselves."""
        return self._values

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Do nothing more."""


class Sgd(LaneOptimizer[definition.Sgd]):
    """theta <- theta - eta g, as `torch.optim.SGD`."""

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g = roles
        torch._foreach_addcmul_(theta, g, rate, value=-1.0)


class AbsorbingMomentum(_Absorbing[definition.Momentum]):
    """m <- beta m - eta g; theta <- theta + m, where the rooms are the velocities m.

    `torch.optim.SGD` keeps the velocity without the rate: another path once the rate changes.
    """

    def begin(self, pace: Pace) -> Tensor:
        """Multiply the velocities by beta; the backward pass adds -eta g."""
        assert pace.momentum is not None
        torch._foreach_mul_(self.rooms, [pace.momentum] * len(self.rooms))
        return super().begin(pace)

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, m = roles
        torch._foreach_add_(theta, m)


class Momentum(LaneOptimizer[definition.Momentum]):
    """m <- beta m - eta g; theta <- theta + m; see `AbsorbingMomentum`."""

    def first(self) -> tuple[float, ...]:
        """Return that of the velocity."""
        return (0.0,)

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g, m = roles
        torch._foreach_mul_(m, momentum)
        torch._foreach_addcmul_(m, g, rate, value=-1.0)
        torch._foreach_add_(theta, m)


class Nesterov(LaneOptimizer[definition.Nesterov]):
    """m <- beta m - eta g; theta <- theta + beta m - eta g, theta being the look-ahead point.

    Not `torch.optim.SGD(nesterov=True)`, for the same reason as `AbsorbingMomentum`.
    """

    def first(self) -> tuple[float, ...]:
        """Return that of the velocity."""
        return (0.0,)

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g, m = roles
        torch._foreach_mul_(m, momentum)
        torch._foreach_addcmul_(m, g, rate, value=-1.0)
        torch._foreach_addcmul_(theta, m, momentum)
        torch._foreach_addcmul_(theta, g, rate, value=-1.0)
