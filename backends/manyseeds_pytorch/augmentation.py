"""Augmented images: what `techniques.augmentation.augmented` defines, by PyTorch's own means."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from manyseeds.techniques.augmentation import Changes
from manyseeds_pytorch.device import Placement


@dataclass(frozen=True)
class DeviceChanges:
    """What becomes of images: affine [lanes, n, 2, 3], gain and offset [lanes, n]."""

    affine: Tensor
    gain: Tensor
    offset: Tensor

    def of(self, examples: slice) -> DeviceChanges:
        """Return those of some examples of every lane."""
        return DeviceChanges(
            self.affine[:, examples], self.gain[:, examples], self.offset[:, examples]
        )


def on_device(changes: Changes, where: Placement) -> DeviceChanges:
    """Return changes as tensors in the precision of the placement."""

    def tensor(values: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(where.device, where.dtype)

    return DeviceChanges(tensor(changes.affine), tensor(changes.gain), tensor(changes.offset))


def augmented(images: Tensor, changes: DeviceChanges) -> Tensor:
    """Return changed images, [lanes, batch, features] as they came; they are square."""
    lanes, batch, features = images.shape
    side = math.isqrt(features)
    pictures = images.reshape(lanes * batch, 1, side, side)
    # A fiftieth of the time that `functional.affine_grid` takes.
    old = changes.affine.reshape(-1, 3) @ _places(side, images)
    # A grid counts from the centre, too, and the image's edges are at -1 and 1.
    grid = old.mul_(2 / side).view(lanes * batch, 2, side, side).permute(0, 2, 3, 1)
    values = functional.grid_sample(
        pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    ).view(images.shape)
    mean = values.mean(2, keepdim=True)
    values.sub_(mean).mul_(changes.gain[:, :, None])
    return values.add_(mean + changes.offset[:, :, None])


def _places(side: int, like: Tensor) -> Tensor:
    """Return x, y and 1 of every pixel, [3, side * side], row by row."""
    line = torch.arange(side, device=like.device, dtype=like.dtype) - (side - 1) / 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack((x, y, torch.ones_like(x))).flatten(1)
