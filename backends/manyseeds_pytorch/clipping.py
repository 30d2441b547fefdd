"""What a step does beside the optimizer: clipping before it, constraints after it.

All of it acts on each lane by itself; `torch.nn.utils` would clip all lanes as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from manyseeds.techniques import clipping as definition
from manyseeds.techniques.network import Network
from manyseeds_pytorch.optimizers import Hook, Piece, Tensors


def clipping(wanted: definition.Clipping | None) -> list[Hook]:
    """Return what clips the gradients, where that is wanted."""
    match wanted:
        case definition.ClipValue():
            return [ClipValue(wanted.limit)]
        case definition.ClipNorm():
            return [ClipNorm(wanted.limit)]
        case definition.GlobalClipNorm():
            return [GlobalClipNorm(wanted.limit)]
        case None:
            return []


@dataclass(frozen=True)
class ClipValue:
    """Each component to [-limit, limit]."""

    limit: float

    def __call__(self, piece: Piece) -> None:
        """Clip in place."""
        for gradient in piece.gradients:
            gradient.clamp_(-self.limit, self.limit)


@dataclass(frozen=True)
class ClipNorm:
    """Each variable's gradient to a norm of at most `limit`."""

    limit: float

    def __call__(self, piece: Piece) -> None:
        """Clip in place."""
        for gradient in piece.gradients:
            gradient.mul_(_shrink(_norm(gradient), self.limit))


@dataclass(frozen=True)
class GlobalClipNorm:
    """The whole gradient of a lane to a norm of at most `limit`: a piece must be all of it."""

    limit: float

    def __call__(self, piece: Piece) -> None:
        """Clip in place."""
        gradients = piece.gradients
        norms = torch.stack([_norm(gradient) for gradient in gradients])
        factor = _shrink(torch.linalg.vector_norm(norms, dim=0), self.limit)
        torch._foreach_mul_(gradients, [factor] * len(gradients))


def _norm(gradient: Tensor) -> Tensor:
    """Return that of every lane, [lanes, 1, 1]."""
    return torch.linalg.vector_norm(gradient, dim=(1, 2), keepdim=True)


def _shrink(norm: Tensor, limit: float) -> Tensor:
    """Return min(1, limit / norm)."""
    return norm.reciprocal_().mul_(limit).clamp_(max=1)


@dataclass(frozen=True)
class MaxNorm:
    """Each unit's incoming weights to a norm of at most `radius`.

    Attributes
    ----------
    place
        Which of the parameters is the kernel.
    """

    place: int
    radius: float

    def __call__(self, piece: Piece) -> None:
        """Rescale in place; a kernel is [lanes, units, fan_in]."""
        for kernel, _ in piece.of(self.place):
            norm = torch.linalg.vector_norm(kernel, dim=2, keepdim=True)
            kernel.mul_(_shrink(norm, self.radius))


@dataclass(frozen=True)
class KeepZeros:
    """Weights that were 0 become 0 again.

    Attributes
    ----------
    places
        Which of the parameters are kernels.
    masks
        0 where they were 0, else 1, of each of these, in all lanes: multiplying is thirty times as
        fast as filling.
    """

    places: Sequence[int]
    masks: Tensors

    def __call__(self, piece: Piece) -> None:
        """Put back in place."""
        for place, mask in zip(self.places, self.masks, strict=True):
            for kernel, _ in piece.of(place):
                kernel.mul_(mask[piece.lanes])


def constraints(network: Network, learning: Mapping[str, Tensor], keep_zeros: bool) -> list[Hook]:
    """Return what happens to the parameters after an update.

    Parameters
    ----------
    network
        Says which kernels have a max-norm.
    learning
        What is trained, by name, as the phase starts.
    keep_zeros
        Whether kernel weights that are 0 stay so.
    """
    names = list(learning)
    found: list[Hook] = [
        MaxNorm(names.index(kernel), layer.max_norm.radius)
        for layer in network.dense()
        if layer.max_norm and (kernel := f"{layer.label}/kernel") in learning
    ]
    if keep_zeros:
        places = [place for place, name in enumerate(names) if name.endswith("/kernel")]
        kernels = [learning[names[place]].detach() for place in places]
        found.append(KeepZeros(places, [kernel.ne(0).to(kernel.dtype) for kernel in kernels]))
    return found
