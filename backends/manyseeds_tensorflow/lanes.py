"""Division of a cohort's lanes into groups: one per CPU thread, or a single group on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from manyseeds.backend.lane_shares import lane_shares
from manyseeds.suite.recipe import Phase
from manyseeds_tensorflow import optimizers
from manyseeds_tensorflow.training_state import Fixed, Moving, Tensors

Tree = Any
Array = NDArray[Any]


@dataclass(frozen=True)
class LaneWorkers:
    """The threads that work on groups of lanes, one group each.

    Attributes
    ----------
    device_name
        TensorFlow's name for the device they compute on.
    threads
        Number of threads.
    pool
        The pool that the threads run in.
    """

    device_name: str
    threads: int
    pool: ThreadPoolExecutor


class LaneGroup:
    """Some of a cohort's lanes, as tensors.

    Attributes
    ----------
    lanes
        The places of these lanes in the cohort.
    moving, fixed
        The variables that a step changes, and those that stay as they are in a phase.
    """

    def __init__(self, lanes: NDArray[np.int64]) -> None:
        self.lanes = lanes
        self.moving = Moving({}, {}, {})
        self.fixed = Fixed({}, {})

    def begin(
        self,
        phase: Phase,
        weights: Mapping[str, Array],
        hyperparameters: optimizers.Hyperparameters,
    ) -> None:
        """Start a phase with a fresh optimizer.

        Parameters
        ----------
        phase
            The phase: its frozen layers, and the techniques that train the others.
        weights
            The weights of the whole cohort, stacked and in the layers' shapes.
        hyperparameters
            The optimizer's hyperparameters.
        """
        rule = optimizers.RULES[phase.optimizer.name]
        variables = self.tensors(dict(weights))
        frozen = {n: value for n, value in variables.items() if n.split("/")[0] in phase.frozen}
        names = phase.network.trained(phase.frozen)
        trained = {n: value for n, value in variables.items() if n in names}
        averages = {
            n: value for n, value in variables.items() if n not in frozen and n not in trained
        }
        ones = tf.ones([len(self.lanes), 1, 1], next(iter(trained.values())).dtype)
        self.moving = Moving(
            weights=trained,
            averages=averages,
            slots=optimizers.first_slots(rule, trained, hyperparameters),
            product=(ones,) if rule.scheduled else (),
        )
        self.fixed = Fixed(frozen, _nonzero(trained) if phase.keep_zeros else {})

    def variables(self) -> Tensors:
        """Return all variables by "layer/variable"."""
        return {**self.fixed.frozen, **self.moving.averages, **self.moving.weights}

    def tensors(self, tree: Tree) -> Tree:
        """Return this group's lanes of a nest of arrays [lanes, ...] as tensors."""
        return tf.nest.map_structure(lambda array: tf.constant(np.asarray(array)[self.lanes]), tree)


class LaneGroups:
    """A cohort's lanes in groups of one size, so that one compiled program serves all groups.

    Attributes
    ----------
    count
        Number of lanes in the cohort.
    groups
        The groups, in the order of their lanes; copies of the last lane may fill up the last ones.
    """

    def __init__(self, lanes: int, workers: LaneWorkers) -> None:
        self.count = lanes
        self._workers = workers
        self.groups = tuple(LaneGroup(share) for share in lane_shares(lanes, workers.threads))

    @property
    def first(self) -> LaneGroup:
        """The first group, whose shapes are those of all."""
        return self.groups[0]

    def map(self, work: Callable[..., Any], arguments: Sequence[Any] | None = None) -> list[Any]:
        """Return the result of `work` for every group, computed in a thread of its own.

        Parameters
        ----------
        work
            Takes a group and, if there are arguments, the group's argument.
        arguments
            One argument for every group; None for none.
        """

        def on_device(*group: Any) -> Any:
            with tf.device(self._workers.device_name):
                return work(*group)

        columns = (self.groups,) if arguments is None else (self.groups, arguments)
        return list(self._workers.pool.map(on_device, *columns))

    def join(self, arrays: Sequence[Array]) -> Array:
        """Return the groups' arrays [group, ...] as one, [lanes, ...]."""
        return np.concatenate(arrays)[: self.count]

    def join_named(self, arrays: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        """Return the groups' arrays [group, ...] by name, each as one, [lanes, ...]."""
        return {name: self.join([own[name] for own in arrays]) for name in arrays[0]}


def _nonzero(trained: Tensors) -> Tensors:
    """Return whether each weight of the trained kernels is not 0, by variable."""
    return {name: value != 0 for name, value in trained.items() if name.endswith("/kernel")}
