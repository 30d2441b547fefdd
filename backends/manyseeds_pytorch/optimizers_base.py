"""The base of every optimizer: it updates the parameters of all lanes, a tile of lanes at a time.

`torch.optim`'s own classes take one rate for all lanes.
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
from manyseeds.techniques.optimizers import Optimizer
from manyseeds_pytorch.lanes import lane_tiles
from manyseeds_pytorch.layers_pass import whole_gradient

Tensors = list[Tensor]

Hook = Callable[["ParameterTile"], None]
"""Changes the parameters of a tile, or their gradients, in place."""

OptimizerT = TypeVar("OptimizerT", bound=Optimizer)


@dataclass(frozen=True)
class StepRate:
    """The learning rate and momentum of a step.

    Attributes
    ----------
    rate, momentum
        [lanes, 1, 1], on the device; the momentum is None for an optimizer without one.
    rates
        The learning rates again, [lanes], on the host.
    """

    rate: Tensor
    momentum: Tensor | None
    rates: Floats

    def equal_rates(self, lanes: slice) -> Iterator[tuple[slice, float]]:
        """Yield runs of neighbouring lanes with one rate, counted from the first of `lanes`."""
        rates = self.rates[lanes]
        changes = (np.flatnonzero(np.diff(rates)) + 1).tolist()
        for first, last in pairwise([0, *changes, len(rates)]):
            yield slice(first, last), float(rates[first])


@dataclass(frozen=True)
class ParameterTile:
    """Some lanes of some parameters, which are updated together.

    Attributes
    ----------
    lanes
        The tile's lanes.
    indices
        Indices of the tile's parameters among all.
    parameters, gradients
        The parameters and their gradients, in these lanes.
    states
        For each state of the optimizer, its tensors for these parameters.
    """

    lanes: slice
    indices: Sequence[int]
    parameters: Tensors
    gradients: Tensors
    states: Sequence[Tensors] = ()

    @property
    def operands(self) -> tuple[Tensors, ...]:
        """The parameters, the gradients and the states."""
        return (self.parameters, self.gradients, *self.states)

    def parameter(self, index: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield a parameter with its gradient, if the tile holds it."""
        if index in self.indices:
            place = self.indices.index(index)
            yield self.parameters[place], self.gradients[place]


class LaneOptimizer(Generic[OptimizerT]):
    """Base of the optimizers: updates parameters [lanes, ...] in tiles of lanes.

    Parameters
    ----------
    technique
        The optimizer's definition, with its hyperparameters.
    parameters
        The trained variables.
    before, after
        Hooks that change the gradients before the update, and the parameters after it.
    early
        Indices of parameters that may be updated in the middle of the backward pass if they are
        large: see `kernel_buffers`.

    Attributes
    ----------
    gradient_buffers
        The buffers in which the backward pass stores gradients, by the parameter's index, for
        parameters that are updated after it.
    in_backward
        Whether the backward pass itself adds -eta g to `gradient_buffers`, so that g is never
        written to memory and read again, which is a third of a step's traffic. Otherwise it stores
        g there.
    """

    in_backward = False

    def __init__(
        self,
        technique: OptimizerT,
        parameters: Sequence[Tensor],
        before: Sequence[Hook],
        after: Sequence[Hook],
        early: Collection[int] = (),
    ) -> None:
        self.technique = technique
        self._parameters = [parameter.detach() for parameter in parameters]
        self._states = [
            [torch.full_like(parameter, start) for parameter in self._parameters]
            for start in self.initial_states()
        ]
        self._before, self._after = before, after
        self._early_tiles: dict[int, list[ParameterTile]] = {}
        late = []
        for index, parameter in enumerate(parameters):
            slices = lane_tiles([parameter]) if index in early and not self.in_backward else []
            if len(slices) > 1:
                buffer = torch.zeros_like(self._parameters[index][slices[0]])
                self._early_tiles[id(parameter)] = [
                    self._tile(lanes, {index: buffer[: lanes.stop - lanes.start]})
                    for lanes in slices
                ]
            else:
                late.append(index)
        self.gradient_buffers = self.make_buffers(late)
        self._late_tiles = [
            self._tile(lanes, {index: b[lanes] for index, b in self.gradient_buffers.items()})
            for lanes in self.late_slices(late)
        ]
        self.steps = 0

    def _tile(self, lanes: slice, buffers: Mapping[int, Tensor]) -> ParameterTile:
        parameters, *states = (
            [tensors[index][lanes] for index in buffers]
            for tensors in (self._parameters, *self._states)
        )
        return ParameterTile(lanes, list(buffers), parameters, list(buffers.values()), states)

    def initial_states(self) -> tuple[float, ...]:
        """Return the initial value of each state that the optimizer keeps for a parameter."""
        return ()

    def make_buffers(self, late: Sequence[int]) -> dict[int, Tensor]:
        """Return the buffers for the gradients of parameters, by the parameter's index."""
        return {index: torch.zeros_like(self._parameters[index]) for index in late}

    def late_slices(self, late: Sequence[int]) -> list[slice]:
        """Return the lanes of these parameters that are updated together.

        Temporary tensors are then small, and each operation finds in the cache what the one before
        it wrote.
        """
        return lane_tiles([self._parameters[index] for index in late]) if late else []

    def begin_step(self, step_rate: StepRate) -> Tensor:
        """Prepare a step.

        Returns
        -------
        Tensor
            Factor of the gradient of every lane's loss, [lanes]: 1, or -eta.
        """
        self.steps += 1
        self.step_rate, rate = step_rate, step_rate.rate
        return -rate.view(-1) if self.in_backward else torch.ones_like(rate).view(-1)

    def kernel_buffers(self, kernel: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yield the lanes of a kernel in turn, each with the buffer for their gradient.

        A large kernel is updated tile by tile, as soon as a tile's gradient is in the buffer and
        still in the cache. The gradient is never written to main memory, which would be as much
        traffic as the parameters themselves.
        """
        tiles = self._early_tiles.get(id(kernel))
        if tiles is None:
            yield from whole_gradient(kernel)
            return
        for tile in tiles:
            yield tile.lanes, tile.gradients[0]
            self._step_tile(tile)

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters whose gradients the backward pass has stored."""
        for tile in self._late_tiles:
            self._step_tile(tile)

    def _step_tile(self, tile: ParameterTile) -> None:
        for hook in self._before:
            hook(tile)
        self.update_tile(tile)
        for hook in self._after:
            hook(tile)

    def update_tile(self, tile: ParameterTile) -> None:
        """Update a tile in place."""
        count, rate, momentum = len(tile.indices), self.step_rate.rate, self.step_rate.momentum
        self.update(
            *tile.operands,
            rate=[rate[tile.lanes]] * count,
            momentum=[] if momentum is None else [momentum[tile.lanes]] * count,
        )

    def update(self, *operands: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update a tile's operands in place, with a rate and a momentum for each parameter."""
        raise NotImplementedError
