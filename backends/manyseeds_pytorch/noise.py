"""The noise of `manyseeds.noise`, bit for bit, where PyTorch needs it.

On a GPU it is drawn there, in integer operations. On a CPU those are far too slow one by one, so
randomgen draws the same Threefry-2x32-20 in C.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from randomgen import ThreeFry
from torch import Tensor

from manyseeds.noise import HALVES, blocks
from manyseeds_pytorch.device import Placement

_PARITY = 0x1BD11BDA
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_WORD = 1 << 32


class Noise(Protocol):
    """The noise of one dropout layer, in all lanes."""

    def kept(self, step: int, elements: int, threshold: int) -> Tensor:
        """Return which elements of a step stay, [lanes, elements], booleans."""


def layer_noise(keys: Mapping[str, NDArray[np.uint32]], placement: Placement) -> dict[str, Noise]:
    """Return the noise of every dropout layer by label, for keys [lanes, 2]."""
    if placement.cuda:
        return {label: GraphNoise(key, placement.device) for label, key in keys.items()}
    return {label: HostNoise(key) for label, key in keys.items()}


def mask(
    noise: Noise, step: int, shape: tuple[int, int, int], threshold: int, like: Tensor
) -> Tensor:
    """Return what dropout multiplies by, [lanes, batch, units]: 1 / P(kept), or 0.

    Parameters
    ----------
    shape
        (lanes, batch, units).
    threshold
        The least half that is kept (`manyseeds.noise.threshold`).
    like
        A tensor of the device and type wanted.
    """
    kept = noise.kept(step, shape[1] * shape[2], threshold).view(shape)
    # The type first: booleans times a number are float32, whatever the number.
    return kept.to(like.dtype).mul_(HALVES / (HALVES - threshold))


class HostNoise:
    """Noise drawn on the host, one lane after the other, by randomgen.

    Parameters
    ----------
    keys
        [lanes, 2].
    """

    def __init__(self, keys: NDArray[np.uint32]) -> None:
        self._generator = ThreeFry(key=0, counter=0, number=2, width=32)
        self._counter = np.zeros(2, np.uint32)
        fresh = self._generator.state
        self._states = [
            fresh | {"state": {"counter": self._counter, "key": key}} for key in keys.copy()
        ]

    def halves(self, step: int, elements: int) -> NDArray[np.uint16]:
        """Return the noise of a step: [lanes, elements] halves."""
        count = blocks(elements)
        self._point_before(step)
        words = np.empty((len(self._states), count, 2), np.uint64)
        for lane, state in enumerate(self._states):
            self._generator.state = state
            words[lane].reshape(-1)[:] = self._generator.random_raw(2 * count)
        planar = np.empty((len(words), 2, count), "<u4")
        np.copyto(planar, words.swapaxes(1, 2), casting="unsafe")
        return planar.reshape(len(words), 2 * count).view("<u2")[:, :elements]

    def kept(self, step: int, elements: int, threshold: int) -> Tensor:
        """Return which elements of a step stay, [lanes, elements], booleans."""
        return torch.from_numpy(self.halves(step, elements) >= threshold)

    def _point_before(self, step: int) -> None:
        """Set the counter one below (block 0, step): randomgen increments it, then draws."""
        before = (step * _WORD - 1) % (_WORD * _WORD)
        self._counter[:] = before % _WORD, before // _WORD


class GraphNoise:
    """Noise drawn where the tensors are, in int32 operations that wrap as uint32 does.

    Parameters
    ----------
    keys
        [lanes, 2].
    device
        Where to draw.
    """

    def __init__(self, keys: NDArray[np.uint32], device: torch.device) -> None:
        self._keys = torch.from_numpy(keys.copy().view(np.int32)).to(device)

    def halves(self, step: int, elements: int) -> Tensor:
        """Return the noise of a step: [lanes, elements] halves, as int32."""
        block = torch.arange(blocks(elements), dtype=torch.int32, device=self._keys.device)
        steps = torch.full_like(block, _signed(step))
        words = torch.cat(threefry(self._keys[:, 0:1], self._keys[:, 1:2], block, steps), dim=1)
        low = words & (HALVES - 1)
        high = _shift_right(words, 16)
        return torch.stack((low, high), dim=-1).flatten(1)[:, :elements]

    def kept(self, step: int, elements: int, threshold: int) -> Tensor:
        """Return which elements of a step stay, [lanes, elements], booleans."""
        return self.halves(step, elements) >= threshold


def threefry(key0: Tensor, key1: Tensor, count0: Tensor, count1: Tensor) -> tuple[Tensor, Tensor]:
    """Return Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Random123").

    All words are int32 with the bits of uint32; their shapes broadcast.
    """
    schedule = (key0, key1, key0 ^ key1 ^ _PARITY)
    x0, x1 = count0 + key0, count1 + key1
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = x0 ^ ((x1 << rotation) | _shift_right(x1, 32 - rotation))
        x0 = x0 + schedule[(group + 1) % 3]
        x1 = x1 + schedule[(group + 2) % 3] + (group + 1)
    return x0, x1


def _shift_right(words: Tensor, bits: int) -> Tensor:
    """Shift right and fill with zeros: PyTorch's own shift repeats the sign."""
    return (words >> bits) & ((1 << (32 - bits)) - 1)


def _signed(word: int) -> int:
    """Return the int32 that has the bits of a uint32."""
    return (word + _WORD // 2) % _WORD - _WORD // 2
