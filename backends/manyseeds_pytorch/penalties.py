"""Penalties on kernels: their values, and what they add to the gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from manyseeds.network import Network
from manyseeds_pytorch.optimizers import Hook, Piece
from manyseeds_pytorch.workspace import Workspace


@dataclass(frozen=True)
class KernelPenalty:
    """l1 sum |w| + l2 sum w^2; None for what it has not."""

    l1: float | None
    l2: float | None

    def value(self, kernel: Tensor) -> Tensor:
        """Return that of every lane of a kernel [lanes, units, fan_in]: [lanes]."""
        return self.add(kernel, torch.empty_like(kernel), Workspace())

    def add(self, kernel: Tensor, gradient: Tensor, room: Workspace) -> Tensor:
        """Add its slope to a gradient, in place, and return its value, [lanes].

        The slope of |w| at 0 is 0, and |w| is w times it: that takes no more memory.
        """
        value = kernel.new_zeros(len(kernel))
        if self.l1 is not None:
            signs = torch.sign(kernel, out=room.like(kernel, "signs"))
            gradient.add_(signs, alpha=self.l1)
            value.add_(_dots(signs, kernel), alpha=self.l1)
        if self.l2 is not None:
            gradient.add_(kernel, alpha=2 * self.l2)
            value.add_(_dots(kernel, kernel), alpha=self.l2)
        return value


def _dots(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return the sum of the products in every lane; on a CPU without writing the products down."""
    pairs = (ours.flatten(1), theirs.flatten(1))
    if ours.is_cuda:
        return torch.linalg.vecdot(*pairs)
    return torch.stack([torch.dot(*pair) for pair in zip(*pairs, strict=True)])


class Penalties:
    """Those of a network in all lanes.

    Parameters
    ----------
    network
        Says which kernels have one.
    variables
        All, by name; those that are not in `learning` stay as they are.
    learning
        What is trained, by name.

    Attributes
    ----------
    value
        The sum as the last step found it, [lanes]; None where the network has no penalty.
    """

    def __init__(
        self, network: Network, variables: Mapping[str, Tensor], learning: Mapping[str, Tensor]
    ) -> None:
        wanted = {
            f"{layer.label}/kernel": KernelPenalty(
                layer.penalty.hyperparameters().get("l1"), layer.penalty.hyperparameters().get("l2")
            )
            for layer in network.dense()
            if layer.penalty
        }
        names = list(learning)
        self._room = Workspace()
        self._learning = {names.index(n): each for n, each in wanted.items() if n in learning}
        still = [
            each.value(variables[n].detach()) for n, each in wanted.items() if n not in learning
        ]
        some = next(iter(variables.values()))
        self._still = torch.stack(still).sum(0) if still else some.new_zeros(len(some))
        self.value = self._still.clone() if wanted else None

    def begin(self) -> None:
        """Prepare a step."""
        if self.value is not None:
            self.value.copy_(self._still)

    def hooks(self) -> list[Hook]:
        """Return what adds to the gradients, where there is something to add."""
        return [self.add] if self._learning else []

    def add(self, piece: Piece) -> None:
        """Add to the value and to the gradients, in place."""
        assert self.value is not None
        for place, penalty in self._learning.items():
            for kernel, gradient in piece.of(place):
                self.value[piece.lanes].add_(penalty.add(kernel, gradient, self._room))
