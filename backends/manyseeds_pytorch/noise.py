"""The noise of `manyseeds.noise`, bit for bit, where PyTorch needs it.

On a GPU it is drawn there, in integer operations. On a CPU those are far too slow one by one, so
randomgen draws the same Threefry-2x32-20 in C.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from randomgen import ThreeFry
from torch import Tensor

from manyseeds.noise import HALVES, blocks, normal_blocks
from manyseeds_pytorch.device import Placement

_PARITY = 0x1BD11BDA
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_WORD = 1 << 32


class Noise(Protocol):
    """One of a network's noises, in all lanes."""

    def kept(self, step: int, elements: int, threshold: int) -> Tensor:
        """Return which elements of a step stay, [lanes, elements], booleans."""

    def fractions(self, step: int, elements: int) -> Tensor:
        """Return numbers between 0 and 1, (half + 1/2) / 65536, [lanes, elements]."""

    def normals(self, step: int, elements: int) -> Tensor:
        """Return unit normals, [lanes, elements]."""


def network_noise(keys: Mapping[str, NDArray[np.uint32]], placement: Placement) -> dict[str, Noise]:
    """Return the noises of a network by label, for keys [lanes, 2]."""
    if placement.cuda:
        return {label: GraphNoise(key, placement) for label, key in keys.items()}
    return {label: HostNoise(key, placement) for label, key in keys.items()}


class HostNoise:
    """Noise drawn on the host, one lane after the other, by randomgen.

    Parameters
    ----------
    keys
        [lanes, 2].
    placement
        The precision of what is no boolean.
    """

    def __init__(self, keys: NDArray[np.uint32], placement: Placement) -> None:
        self._dtype = placement.dtype
        self._bits = ThreeFry(key=0, counter=0, number=2, width=32)
        self._generator = np.random.Generator(self._bits)
        self._counter = np.zeros(2, np.uint32)
        fresh = self._bits.state
        self._states = [
            fresh | {"state": {"counter": self._counter, "key": key}} for key in keys.copy()
        ]

    def words(self, step: int, count: int) -> NDArray[np.uint32]:
        """Return the words of a step's blocks: [lanes, 2, count], x0 before x1."""
        self._point_before(step)
        planar = np.empty((len(self._states), 2, count), "<u4")
        for lane, state in enumerate(self._states):
            self._bits.state = state
            # All the words there are, as the generator gives them: its raw draws are 64 bits wide.
            drawn = self._generator.integers(_WORD, size=(count, 2), dtype=np.uint32)
            planar[lane] = drawn.T
        return planar

    def halves(self, step: int, elements: int) -> NDArray[np.uint16]:
        """Return the noise of a step: [lanes, elements] halves."""
        words = self.words(step, blocks(elements))
        return words.reshape(len(words), -1).view("<u2")[:, :elements]

    def kept(self, step: int, elements: int, threshold: int) -> Tensor:
        """Return which elements of a step stay, [lanes, elements], booleans."""
        return torch.from_numpy(self.halves(step, elements) >= threshold)

    def fractions(self, step: int, elements: int) -> Tensor:
        """Return numbers between 0 and 1, (half + 1/2) / 65536, [lanes, elements]."""
        return _fractions(self._floats(self.halves(step, elements)))

    def normals(self, step: int, elements: int) -> Tensor:
        """Return unit normals, [lanes, elements]."""
        x0, x1 = self._floats(self.words(step, normal_blocks(elements))).unbind(1)
        return _normals(x0, x1)[:, :elements]

    def _floats(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values.astype(str(self._dtype).removeprefix("torch.")))

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
    placement
        Where to draw, and the precision of what is no boolean.
    """

    def __init__(self, keys: NDArray[np.uint32], placement: Placement) -> None:
        self._dtype = placement.dtype
        self._keys = torch.from_numpy(keys.copy().view(np.int32)).to(placement.device)

    def words(self, step: int, count: int) -> tuple[Tensor, Tensor]:
        """Return the words x0 and x1 of a step's blocks, [lanes, count] each, as int32."""
        block = torch.arange(count, dtype=torch.int32, device=self._keys.device)
        steps = torch.full_like(block, _signed(step))
        return threefry(self._keys[:, 0:1], self._keys[:, 1:2], block, steps)

    def halves(self, step: int, elements: int) -> Tensor:
        """Return the noise of a step: [lanes, elements] halves, as int32."""
        words = torch.cat(self.words(step, blocks(elements)), dim=1)
        low = words & (HALVES - 1)
        high = _shift_right(words, 16)
        return torch.stack((low, high), dim=-1).flatten(1)[:, :elements]

    def kept(self, step: int, elements: int, threshold: int) -> Tensor:
        """Return which elements of a step stay, [lanes, elements], booleans."""
        return self.halves(step, elements) >= threshold

    def fractions(self, step: int, elements: int) -> Tensor:
        """Return numbers between 0 and 1, (half + 1/2) / 65536, [lanes, elements]."""
        return _fractions(self.halves(step, elements).to(self._dtype))

    def normals(self, step: int, elements: int) -> Tensor:
        """Return unit normals, [lanes, elements]."""
        x0, x1 = (
            (word.long() & (_WORD - 1)).to(self._dtype)
            for word in self.words(step, normal_blocks(elements))
        )
        return _normals(x0, x1)[:, :elements]


def _fractions(halves: Tensor) -> Tensor:
    return halves.add_(0.5).mul_(1 / HALVES)


def _normals(x0: Tensor, x1: Tensor) -> Tensor:
    """Return two normals for each pair of words: all cosines, then all sines (Box and Muller)."""
    radius = x0.add(0.5).mul_(1 / _WORD).log_().mul_(-2).sqrt_()
    angle = x1.add(0.5).mul_(1 / _WORD).mul_(2 * np.pi)
    return torch.cat((angle.cos().mul_(radius), angle.sin().mul_(radius)), dim=1)


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
