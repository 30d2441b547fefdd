"""Division of a cohort's lanes into groups, one per CPU thread, and into tiles for the cache.

A thread with lanes of its own never waits for another thread at the end of an operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyseeds_pytorch.device import OpenDevice

Arrays = dict[str, NDArray[Any]]
"""Arrays [lanes, ...] by name, on the host."""

_LEAST_LANES = 4
"""Lanes that keep a thread busy for longer than Python needs to dispatch its operations."""

_TILE_BYTES = 2 << 20
"""Bytes of parameters that stay in a CPU's cache from one operation to the next, together with
their gradients and the optimizer's state."""

Member = TypeVar("Member")
Result = TypeVar("Result")


@dataclass(frozen=True)
class LaneGroup(Generic[Member]):
    """Neighbouring lanes of a cohort, and their trainer.

    Attributes
    ----------
    lanes
        The group's lanes among the cohort's.
    trainer
        Trains these lanes.
    """

    lanes: slice
    trainer: Member


@dataclass(frozen=True)
class LaneGroups(Generic[Member]):
    """The groups of a cohort's lanes, and the thread pool they run in.

    Attributes
    ----------
    members
        The groups, in the order of their lanes.
    threads
        CPU threads that each group's operations may use.
    pool
        Threads that the groups run in.
    """

    members: tuple[LaneGroup[Member], ...]
    threads: int
    pool: ThreadPoolExecutor

    @classmethod
    def divide(
        cls,
        lanes: int,
        device: OpenDevice,
        pool: ThreadPoolExecutor,
        make_trainer: Callable[[int], Member],
    ) -> LaneGroups[Member]:
        """Divide lanes among the device's threads.

        Parameters
        ----------
        lanes
            Number of lanes.
        device
            The device they train on.
        pool
            Threads that the groups run in.
        make_trainer
            Returns the trainer of a number of lanes.
        """
        slices = group_slices(lanes, device)
        members = tuple(LaneGroup(own, make_trainer(own.stop - own.start)) for own in slices)
        return cls(members, max(1, device.threads // len(slices)), pool)

    def run(self, work: Callable[[LaneGroup[Member]], Result]) -> list[Result]:
        """Return the result of `work` for every group, computed in a thread of its own."""

        def work_in_thread(group: LaneGroup[Member]) -> Result:
            torch.set_num_threads(self.threads)  # PyTorch keeps this number per calling thread.
            return work(group)

        if len(self.members) == 1:
            return [work_in_thread(self.members[0])]
        return list(self.pool.map(work_in_thread, self.members))


def group_slices(lanes: int, device: OpenDevice) -> list[slice]:
    """Return the lanes of each group: an equal share per CPU thread, or all lanes on a GPU.

    Few lanes are not worth a thread of their own: then all threads share every operation.
    """
    count = 1 if device.cuda else max(1, min(device.threads, lanes // _LEAST_LANES))
    bounds = [lanes * group // count for group in range(count + 1)]
    return [slice(*pair) for pair in pairwise(bounds)]


def lane_tiles(tensors: Sequence[Tensor]) -> list[slice]:
    """Return the lanes of tensors [lanes, ...] in tiles that fit a CPU's cache.

    On a GPU one tile holds all lanes.
    """
    lanes = len(tensors[0])
    if tensors[0].device.type != "cpu":
        return [slice(0, lanes)]
    lane_bytes = sum(tensor[0].numel() * tensor.element_size() for tensor in tensors)
    size = max(1, _TILE_BYTES // lane_bytes)
    return [slice(first, min(first + size, lanes)) for first in range(0, lanes, size)]


def select_lanes(arrays: Mapping[str, NDArray[Any]], lanes: slice) -> Arrays:
    """Return some of the lanes of arrays by name."""
    return {name: values[lanes] for name, values in arrays.items()}


def join_lanes(parts: Sequence[Arrays]) -> Arrays:
    """Return arrays by name joined along the lanes, always as copies."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
