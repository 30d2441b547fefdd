"""A cohort in PyTorch: its lanes train in groups, one group per CPU thread.

PyTorch runs eagerly here. Nothing is compiled, so every account of compilation is zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np

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
from manyseeds_pytorch.activity import join_activities
from manyseeds_pytorch.device import OpenDevice
from manyseeds_pytorch.device_data import DeviceSplits
from manyseeds_pytorch.lanes import Arrays, LaneGroup, LaneGroups, join_lanes, select_lanes
from manyseeds_pytorch.scoring_sums import PROBABILITIES
from manyseeds_pytorch.training import Trainer


class PyTorchCohort:
    """The networks of many seeds, in groups of lanes that each train in lockstep.

    Parameters
    ----------
    network
        The network's structure.
    splits
        The task's data, on the device.
    lanes
        Number of networks.
    device
        Device, precision and threads.
    pool
        Threads that the groups run in.
    """

    def __init__(
        self,
        network: Network,
        splits: DeviceSplits,
        lanes: int,
        device: OpenDevice,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._network = network
        self._groups = LaneGroups.divide(
            lanes, device, pool, lambda count: Trainer(network, splits, count, device)
        )

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase with these weights, the phase's frozen layers and a fresh optimizer."""
        check_structure(self._network, phase)
        for group in self._groups.members:
            group.trainer.begin(phase, select_lanes(weights, group.lanes))

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes."""
        traces = self._groups.run(lambda group: group.trainer.train(epoch.lanes(group.lanes)))
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
        """Score the lanes on a split without dropout, in blocks of bounded memory."""
        return self._score(split, metrics, probabilities)

    def score(
        self,
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
        sampling: Sampling | None = None,
    ) -> Scores:
        """Score the lanes on the test split; with `sampling`, score their mean predictions."""
        return self._score("test", metrics, probabilities, sampling)

    def gradient(self, batch: Batch) -> Weights:
        """Return the gradient of the training loss on a batch, by trained variable."""
        return join_lanes(
            self._groups.run(lambda group: group.trainer.gradient(batch.lanes(group.lanes)))
        )

    def activity(self, batch: Batch, *, training: bool) -> Mapping[str, Activity]:
        """Return statistics of every layer's outputs on rows of the training split, by label."""

        def activity(group: LaneGroup[Trainer]) -> dict[str, Activity]:
            return group.trainer.activity(batch.lanes(group.lanes), training=training)

        return join_activities(self._groups.run(activity))

    def weights(self) -> Weights:
        """Return a copy of the weights, in the cohort's precision."""
        return join_lanes([group.trainer.weights() for group in self._groups.members])

    def _score(
        self,
        split: str,
        metrics: tuple[Metric, ...],
        probabilities: bool,
        sampling: Sampling | None = None,
    ) -> Scores:
        check_metrics(self._network, metrics, probabilities)

        def score(group: LaneGroup[Trainer]) -> Arrays:
            own_sampling = sampling and sampling.lanes(group.lanes)
            return group.trainer.score(split, metrics, probabilities, own_sampling)

        scores = join_lanes(self._groups.run(score))
        predicted = scores.pop(PROBABILITIES, None)
        return Scores(metrics=scores, probabilities=predicted)
