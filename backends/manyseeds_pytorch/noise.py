"""The noise of `manyseeds.randomness.noise`, bit for bit, drawn where PyTorch needs it.

On a GPU, integer operations on the device draw it. On a CPU these would be far too slow one by one,
so compiled loops draw it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyseeds.randomness.noise import HALVES, blocks, normal_blocks
from manyseeds_pytorch.device import OpenDevice

_PARITY = 0x1BD11BDA
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_WORD = 1 << 32


def as_floats(mask: Tensor, out: Tensor) -> Tensor:
    """Write booleans as 0 and 1 to `out` and return it."""
    return out.copy_(mask.view(torch.uint8))  # Bytes convert five times as fast as booleans.


class Noise(Protocol):
    """One of a network's noises, in all lanes."""

    def keep(self, step: int, elements: int, threshold: int) -> Tensor:
        """Return which elements are kept in a step, booleans [lanes, elements].

        Parameters
        ----------
        step
            The step's number in the noise counter.
        elements
            Number of elements in each lane.
        threshold
            The least half that keeps an element.
        """

    def keep_transposed(self, step: int, shape: tuple[int, int], threshold: int) -> Tensor:
        """Return which elements of a matrix are kept, booleans [lanes, columns, rows].

        Parameters
        ----------
        step, threshold
            As for `keep`.
        shape
            Rows and columns of the matrix.
        """

    def fractions(self, step: int, elements: int) -> Tensor:
        """Return numbers between 0 and 1, (half + 1/2) / 65536, [lanes, elements]."""

    def normals(self, step: int, elements: int) -> Tensor:
        """Return unit normals, [lanes, elements]."""


def network_noise(keys: Mapping[str, NDArray[np.uint32]], device: OpenDevice) -> dict[str, Noise]:
    """Return the noises of a network by label, for keys [lanes, 2] by label."""
    if device.cuda:
        return {label: GraphNoise(key, device) for label, key in keys.items()}
    return {label: HostNoise(key, device) for label, key in keys.items()}


class HostNoise:
    """Noise drawn on the host, one lane after the other.

    Parameters
    ----------
    keys
        [lanes, 2].
    device
        The device: its compiled loops draw the noise, in its precision.
    """

    def __init__(self, keys: NDArray[np.uint32], device: OpenDevice) -> None:
        self._dtype = device.dtype
        self._loops = device.loops.noise
        self._keys = keys

    def words(self, step: int, count: int) -> Iterator[NDArray[np.uint32]]:
        """Yield the words of a step's blocks, lane by lane: [2, count], x0 before x1.

        The next lane's words overwrite them.
        """
        words = np.empty((2, count), np.uint32)
        for key in self._keys:
            self._loops.draw_words(key, step, words)
            yield words

    def keep(self, step: int, elements: int, threshold: int) -> Tensor:
        """Return which elements are kept in a step, booleans [lanes, elements]."""
        mask = np.empty((len(self._keys), 4 * blocks(elements)), np.bool_)
        for lane, key in enumerate(self._keys):
            self._loops.keep_halves(key, step, threshold, out=mask[lane])
        return torch.from_numpy(mask[:, :elements])

    def keep_transposed(self, step: int, shape: tuple[int, int], threshold: int) -> Tensor:
        """Return which elements of a matrix are kept, booleans [lanes, columns, rows]."""
        rows, columns = shape
        flat = np.empty(4 * blocks(rows * columns), np.bool_)
        by_row = np.zeros((_next_eight(rows), _next_eight(columns)), np.bool_)
        by_column = np.empty((len(self._keys), *by_row.shape[::-1]), np.bool_)
        for lane, key in enumerate(self._keys):
            self._loops.keep_halves(key, step, threshold, out=flat)
            by_row[:rows, :columns] = flat[: rows * columns].reshape(shape)
            self._loops.transpose_mask(by_row, out=by_column[lane])
        return torch.from_numpy(by_column[:, :columns, :rows])

    def fractions(self, step: int, elements: int) -> Tensor:
        """Return numbers between 0 and 1, (half + 1/2) / 65536, [lanes, elements]."""
        fractions = torch.empty((len(self._keys), elements), dtype=self._dtype)
        for lane, words in enumerate(self.words(step, blocks(elements))):
            halves = words.astype("<u4", copy=False).reshape(-1).view("<u2")
            fractions.numpy()[lane] = halves[:elements]
        return _fractions(fractions)

    def normals(self, step: int, elements: int) -> Tensor:
        """Return unit normals, [lanes, elements], one lane at a time to stay in the cache."""
        count = normal_blocks(elements)
        normals = torch.empty((len(self._keys), 2 * count), dtype=self._dtype)
        floats = torch.empty((2, count), dtype=self._dtype)
        for lane, words in enumerate(self.words(step, count)):
            floats.numpy()[...] = words
            _normals(floats[0], floats[1], out=normals[lane])
        return normals[:, :elements]


class GraphNoise:
    """Noise drawn on the device, in int32 operations that wrap as uint32 does.

    Parameters
    ----------
    keys
        [lanes, 2].
    device
        The device on which the noise is drawn, in its precision.
    """

    def __init__(self, keys: NDArray[np.uint32], device: OpenDevice) -> None:
        self._dtype = device.dtype
        self._keys = torch.from_numpy(keys.copy().view(np.int32)).to(device.torch_device)

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

    def keep(self, step: int, elements: int, threshold: int) -> Tensor:
        """Return which elements are kept in a step, booleans [lanes, elements]."""
        return self.halves(step, elements) >= threshold

    def keep_transposed(self, step: int, shape: tuple[int, int], threshold: int) -> Tensor:
        """Return which elements of a matrix are kept, booleans [lanes, columns, rows]."""
        rows, columns = shape
        return self.keep(step, rows * columns, threshold).view(-1, rows, columns).mT.contiguous()

    def fractions(self, step: int, elements: int) -> Tensor:
        """Return numbers between 0 and 1, (half + 1/2) / 65536, [lanes, elements]."""
        return _fractions(self.halves(step, elements).to(self._dtype))

    def normals(self, step: int, elements: int) -> Tensor:
        """Return unit normals, [lanes, elements]."""
        x0, x1 = (
            (word.long() & (_WORD - 1)).to(self._dtype)
            for word in self.words(step, normal_blocks(elements))
        )
        normals = torch.empty((len(x0), 2 * x0.shape[1]), dtype=self._dtype, device=x0.device)
        return _normals(x0, x1, out=normals)[:, :elements]


def _next_eight(count: int) -> int:
    """Return the next multiple of 8."""
    return -(-count // 8) * 8


def _fractions(halves: Tensor) -> Tensor:
    """Return (half + 1/2) / 65536, overwriting the halves."""
    return halves.add_(0.5).mul_(1 / HALVES)


def _normals(x0: Tensor, x1: Tensor, out: Tensor) -> Tensor:
    """Return two normals for each pair of words: all cosines, then all sines (Box and Muller).

    This overwrites the words.
    """
    radius = x0.add_(0.5).mul_(1 / _WORD).log_().mul_(-2).sqrt_()
    angle = x1.add_(0.5).mul_(2 * np.pi / _WORD)
    cosines, sines = out.chunk(2, dim=-1)
    torch.cos(angle, out=cosines).mul_(radius)
    torch.sin(angle, out=sines).mul_(radius)
    return out


def threefry(key0: Tensor, key1: Tensor, count0: Tensor, count1: Tensor) -> tuple[Tensor, Tensor]:
    """Return Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Random123").

    All words are int32 with the bits of uint32, and their shapes broadcast.
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
