"""Gradient clipping before the optimizer's update, and constraints on the weights after it.

Everything here acts on each lane by itself; `torch.nn.utils` would clip all lanes as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from manyseeds.techniques import clipping as techniques
from manyseeds.techniques.network import Network
from manyseeds_pytorch.optimizers_base import Hook, ParameterTile, Tensors


def clipped(clipping: techniques.Clipping | None) -> list[Hook]:
    """Return the hook that clips gradients; no hook without clipping."""
    match clipping:
        case techniques.ClipValue():
            return [_ClipValue(clipping.limit)]
        case techniques.ClipNorm():
            return [_ClipNorm(clipping.limit)]
        case techniques.GlobalClipNorm():
            return [_GlobalClipNorm(clipping.limit)]
        case None:
            return []


def constrained(network: Network, trained: Mapping[str, Tensor], keep_zeros: bool) -> list[Hook]:
    """Return the hooks that constrain parameters after an update.

    Parameters
    ----------
    network
        The network, whose layers hold the max-norms of their kernels.
    trained
        The trained variables by name, as the phase starts.
    keep_zeros
        Whether kernel weights that are 0 stay 0.
    """
    names = list(trained)
    hooks: list[Hook] = [
        _MaxNorm(names.index(kernel), layer.max_norm.radius)
        for layer in network.dense()
        if layer.max_norm and (kernel := f"{layer.label}/kernel") in trained
    ]
    if keep_zeros:
        indices = [index for index, name in enumerate(names) if name.endswith("/kernel")]
        kernels = [trained[names[index]].detach() for index in indices]
        hooks.append(_KeepZeros(indices, [kernel.ne(0).to(kernel.dtype) for kernel in kernels]))
    return hooks


@dataclass(frozen=True)
class _ClipValue:
    """Clips each component to [-limit, limit]."""

    limit: float

    def __call__(self, tile: ParameterTile) -> None:
        for gradient in tile.gradients:
            gradient.clamp_(-self.limit, self.limit)


@dataclass(frozen=True)
class _ClipNorm:
    """Rescales each variable's gradient to a norm of at most `limit`."""

    limit: float

    def __call__(self, tile: ParameterTile) -> None:
        for gradient in tile.gradients:
            gradient.mul_(_shrink(_norm(gradient), self.limit))


@dataclass(frozen=True)
class _GlobalClipNorm:
    """Rescales the whole gradient of a lane to a norm of at most `limit`.

    A tile must hold all parameters of its lanes.
    """

    limit: float

    def __call__(self, tile: ParameterTile) -> None:
        gradients = tile.gradients
        norms = torch.stack([_norm(gradient) for gradient in gradients])
        factor = _shrink(torch.linalg.vector_norm(norms, dim=0), self.limit)
        torch._foreach_mul_(gradients, [factor] * len(gradients))


def _norm(gradient: Tensor) -> Tensor:
    """Return the norm of a gradient in every lane, [lanes, 1, 1]."""
    return torch.linalg.vector_norm(gradient, dim=(1, 2), keepdim=True)


def _shrink(norm: Tensor, limit: float) -> Tensor:
    """Return min(1, limit / norm), overwriting the norm."""
    return norm.reciprocal_().mul_(limit).clamp_(max=1)


@dataclass(frozen=True)
class _MaxNorm:
    """Rescales each unit's incoming weights to a norm of at most `radius`.

    Attributes
    ----------
    index
        The kernel's index among the parameters.
    """

    index: int
    radius: float

    def __call__(self, tile: ParameterTile) -> None:
        for kernel, _ in tile.parameter(self.index):  # [lanes, units, fan_in]
            norm = torch.linalg.vector_norm(kernel, dim=2, keepdim=True)
            kernel.mul_(_shrink(norm, self.radius))


@dataclass(frozen=True)
class _KeepZeros:
    """Sets weights that were 0 at the start of the phase back to 0.

    Attributes
    ----------
    indices
        The kernels' indices among the parameters.
    masks
        For each kernel, 0 where a weight was 0, else 1, in all lanes. Multiplying by it is thirty
        times as fast as filling.
    """

    indices: Sequence[int]
    masks: Tensors

    def __call__(self, tile: ParameterTile) -> None:
        for index, mask in zip(self.indices, self.masks, strict=True):
            for kernel, _ in tile.parameter(index):
                kernel.mul_(mask[tile.lanes])
