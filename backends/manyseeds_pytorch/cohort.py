"""A cohort in PyTorch: its lanes, dealt out to the CPU's threads in shards.

PyTorch runs eagerly here: nothing is compiled, so every account of compilation is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from manyseeds.backend.values import (
    Activity,
    Batch,
    EpochPlan,
    EpochTrace,
    Metric,
    Sampling,
    Scores,
    check_metrics,
    check_structure,
)
from manyseeds.suite.recipe import Phase
from manyseeds.techniques.network import Network, Weights
from manyseeds_pytorch.activity import joined_activity
from manyseeds_pytorch.device import DeviceSplits, Placement
from manyseeds_pytorch.scoring import PROBABILITIES
from manyseeds_pytorch.training import Arrays, Shard

T = TypeVar("T")


class PyTorchCohort:
    """The networks of many seeds, dealt out in shards, each of which trains in lockstep.

    Parameters
    ----------
    wanted
        The network's structure.
    data
        The splits, on the device.
    lanes
        How many networks.
    where
        Device, precision and threads.
    pool
        Threads to deal the lanes out to.
    """

    def __init__(
        self,
        wanted: Network,
        data: DeviceSplits,
        lanes: int,
        where: Placement,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._network, self._where, self._pool = wanted, where, pool
        self._parts = where.shards(lanes)
        self._shards = [Shard(wanted, data, part.stop - part.start, where) for part in self._parts]

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase: these weights, this phase's frozen layers, a fresh optimizer."""
        check_structure(self._network, phase)
        for shard, part in zip(self._shards, self._parts, strict=True):
            shard.begin(phase, _part_of(weights, part))

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes."""
        traces = self._each(lambda shard, part: shard.train(epoch.lanes(part)))
        penalties = [trace.penalty for trace in traces if trace.penalty is not None]
        return EpochTrace(
            loss=np.concatenate([trace.loss for trace in traces]),
            penalty=np.concatenate(penalties) if penalties else None,
        )

    def evaluate(
        self,
        split: Literal["train", "valid"],
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
    ) -> Scores:
        """Score the lanes on a split, nothing dropped, in pieces of bounded memory."""
        return self._score(split, metrics, probabilities)

    def score(
        self,
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
        sampling: Sampling | None = None,
    ) -> Scores:
        """Score the lanes on the test split; with `sampling` their mean predictions."""
        return self._score("test", metrics, probabilities, sampling)

    def gradient(self, batch: Batch) -> Weights:
        """Return the gradient of the training loss on a batch; frozen layers have none."""
        parts = self._each(lambda shard, part: shard.gradient(batch.lanes(part)))
        return _joined(parts)

    def activity(self, batch: Batch, *, training: bool) -> Mapping[str, Activity]:
        """Return what leaves each layer on rows of the training split, by label, in order."""
        return joined_activity(
            self._each(lambda shard, part: shard.activity(batch.lanes(part), training=training))
        )

    def weights(self) -> Weights:
        """Return a copy of the weights, in the cohort's precision."""
        return _joined([shard.weights() for shard in self._shards])

    def _score(
        self,
        split: str,
        metrics: tuple[Metric, ...],
        probabilities: bool,
        sampling: Sampling | None = None,
    ) -> Scores:
        check_metrics(self._network, metrics, probabilities)

        def score(shard: Shard, part: slice) -> Arrays:
            drawn = sampling and sampling.lanes(part)
            return shard.score(split, metrics, probabilities, drawn)

        joined = _joined(self._each(score))
        chances = joined.pop(PROBABILITIES, None)
        return Scores(metrics=joined, probabilities=chances)

    def _each(self, work: Callable[[Shard, slice], T]) -> list[T]:
        """Do something with every shard and its lanes, each in a thread of its own."""
        threads = max(1, self._where.threads // len(self._shards))

        def work_in_thread(shard: Shard, part: slice) -> T:
            torch.set_num_threads(threads)  # Of the operations that this thread calls.
            return work(shard, part)

        if len(self._shards) == 1:
            return [work_in_thread(self._shards[0], self._parts[0])]
        return list(self._pool.map(work_in_thread, self._shards, self._parts))


def _part_of(arrays: Mapping[str, NDArray[Any]], lanes: slice) -> Arrays:
    """Return some lanes' part of arrays by name."""
    return {name: values[lanes] for name, values in arrays.items()}


def _joined(parts: Sequence[Arrays]) -> Arrays:
    """Join arrays by name along the lanes, always as copies."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
