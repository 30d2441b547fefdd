"""Augmented images, as `manyseeds.techniques.augmentation.augmented` defines them, in PyTorch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from manyseeds.techniques.augmentation import Changes
from manyseeds_pytorch.device import OpenDevice


@dataclass(frozen=True)
class DeviceChanges:
    """Changes to images, on the device.

    Attributes
    ----------
    affine
        Maps a pixel's place to the place in the original image, [lanes, n, 2, 3].
    gain, offset
        Change the contrast and the brightness, [lanes, n].
    """

    affine: Tensor
    gain: Tensor
    offset: Tensor

    @classmethod
    def put(cls, changes: Changes, device: OpenDevice) -> DeviceChanges:
        """Return changes as tensors of the device's precision."""

        def tensor(values: NDArray[np.floating]) -> Tensor:
            host = torch.from_numpy(np.ascontiguousarray(values))
            return host.to(device.torch_device, device.dtype)

        return cls(tensor(changes.affine), tensor(changes.gain), tensor(changes.offset))

    def examples(self, positions: slice) -> DeviceChanges:
        """Return the changes of some examples of every lane."""
        parts = (self.affine, self.gain, self.offset)
        return DeviceChanges(*(part[:, positions] for part in parts))


def augmented(images: Tensor, changes: DeviceChanges) -> Tensor:
    """Return changed images.

    Parameters
    ----------
    images
        Square images, [lanes, batch, features].
    changes
        A change for every image.

    Returns
    -------
    Tensor
        [lanes, batch, features].
    """
    lanes, batch, features = images.shape
    side = math.isqrt(features)
    pictures = images.reshape(lanes * batch, 1, side, side)
    # This takes a fiftieth of the time of `functional.affine_grid`.
    old = changes.affine.reshape(-1, 3) @ _pixel_places(side, images)
    # Like these places, a grid has its origin at the image's centre; the image's edges are at -1
    # and 1.
    grid = old.mul_(2 / side).view(lanes * batch, 2, side, side).permute(0, 2, 3, 1)
    values = functional.grid_sample(
        pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    ).view(images.shape)
    mean = values.mean(2, keepdim=True)
    values.sub_(mean).mul_(changes.gain[:, :, None])
    return values.add_(mean + changes.offset[:, :, None])


def _pixel_places(side: int, like: Tensor) -> Tensor:
    """Return x, y and 1 of every pixel, [3, side * side], row by row."""
    line = torch.arange(side, device=like.device, dtype=like.dtype) - (side - 1) / 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack((x, y, torch.ones_like(x))).flatten(1)
