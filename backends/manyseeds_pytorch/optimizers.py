"""What updates the parameters of all lanes, and the SGD family.

`torch.optim`'s own classes take one rate for all lanes. The equations are `torch.optim`'s where it
has the canonical ones, see each class. The adaptive optimizers are in `adaptive`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from manyseeds.backend.values import Floats
from manyseeds.techniques import optimizers as definition
from manyseeds_pytorch.device import tiles
from manyseeds_pytorch.run import whole

Tensors = list[Tensor]

Hook = Callable[["Piece"], None]
"""What else a step does in place to the parameters of a piece, or to their gradients."""


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


@dataclass(frozen=True)
class Piece:
    """Some lanes of some parameters: what is updated at a time.

    Attributes
    ----------
    lanes
        Which lanes.
    places
        Which of the parameters.
    roles
        What each of these parameters is, what gradient, and what is kept for it, in these lanes.
    """

    lanes: slice
    places: Sequence[int]
    roles: Sequence[Tensors]

    @property
    def gradients(self) -> Tensors:
        """Those of its parameters."""
        return self.roles[1]

    def of(self, place: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield a parameter and its gradient, if it is here."""
        if place in self.places:
            here = self.places.index(place)
            yield self.roles[0][here], self.roles[1][here]


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
    early
        Which parameters, by place, may be updated in the midst of the backward pass where they are
        large: see `leaving`.

    Attributes
    ----------
    rooms
        Where the backward pass leaves what it finds, by place, for parameters not updated early.
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
        early: Collection[int] = (),
    ) -> None:
        self.wanted = wanted
        self._values = [parameter.detach() for parameter in parameters]
        self._kept = [[torch.full_like(v, start) for v in self._values] for start in self.first()]
        self._before, self._after = before, after
        self._early: dict[int, list[Piece]] = {}
        late = []
        for place, parameter in enumerate(parameters):
            spans = tiles([parameter]) if place in early and not self.absorbs else []
            if len(spans) > 1:
                room = torch.zeros_like(self._values[place][spans[0]])
                pieces = [self._piece(span, {place: room[: _lanes(span)]}) for span in spans]
                self._early[id(parameter)] = pieces
            else:
                late.append(place)
        self.rooms = self.make_rooms(late)
        self._late = [
            self._piece(span, {place: room[span] for place, room in self.rooms.items()})
            for span in self.spans(late)
        ]
        self.steps = 0

    def _piece(self, span: slice, rooms: Mapping[int, Tensor]) -> Piece:
        values, *kept = ([role[p][span] for p in rooms] for role in (self._values, *self._kept))
        return Piece(span, list(rooms), [values, list(rooms.values()), *kept])

    def first(self) -> tuple[float, ...]:
        """Return what the tensors that are kept for every parameter start at."""
        return ()

    def make_rooms(self, late: Sequence[int]) -> dict[int, Tensor]:
        """Return where the backward pass leaves what it finds, for parameters by place."""
        return {place: torch.zeros_like(self._values[place]) for place in late}

    def spans(self, late: Sequence[int]) -> list[slice]:
        """Return the lanes of these parameters that are updated at a time.

        What is temporary is then small, and what one operation leaves the next finds in the cache.
        """
        return tiles([self._values[place] for place in late]) if late else []

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

    def leaving(self, kernel: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yield the lanes of a kernel in turn, and where to leave their gradient.

        A large kernel is updated piece by piece, each as soon as its gradient is there and still in
        the cache: that is never written to the memory, which is as much traffic as the parameters
        themselves are.
        """
        early = self._early.get(id(kernel))
        if early is None:
            yield from whole(kernel)
            return
        for piece in early:
            yield piece.lanes, piece.roles[1][0]
            self._take(piece)

    @torch.no_grad()
    def step(self) -> None:
        """Take the step, with what the backward pass left."""
        for piece in self._late:
            self._take(piece)

    def _take(self, piece: Piece) -> None:
        for hook in self._before:
            hook(piece)
        self.move(piece)
        for hook in self._after:
            hook(piece)

    def move(self, piece: Piece) -> None:
        """Update a piece in place."""
        size, rate, momentum = len(piece.places), self.pace.rate, self.pace.momentum
        self.update(
            *piece.roles,
            rate=[rate[piece.lanes]] * size,
            momentum=[] if momentum is None else [momentum[piece.lanes]] * size,
        )

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place, given a piece's roles, and the rates and momenta of its lanes."""
        raise NotImplementedError


def _lanes(span: slice) -> int:
    return int(span.stop) - int(span.start)


class _Absorbing(LaneOptimizer[Wanted]):
    """Base of those whose backward pass does most of the work: only where nothing comes before."""

    absorbs = True

    def spans(self, late: Sequence[int]) -> list[slice]:
        """Return all lanes at once, where one operation is all there is."""
        return super().spans(late) if self._after else [slice(0, len(self._values[0]))]


class AbsorbingSgd(_Absorbing[definition.Sgd]):
    """theta <- theta - eta g: the backward pass does it all."""

    def make_rooms(self, late: Sequence[int]) -> dict[int, Tensor]:
        """Return the parameters themselves."""
        return dict(enumerate(self._values))

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
        rooms = list(self.rooms.values())
        torch._foreach_mul_(rooms, [pace.momentum] * len(rooms))
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
