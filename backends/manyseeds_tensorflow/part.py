"""Some of a cohort's lanes: those of one thread, or all of them on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from manyseeds.suite.recipe import Phase
from manyseeds.techniques import augmentation
from manyseeds_tensorflow import optimizers
from manyseeds_tensorflow.augmentation import Changes
from manyseeds_tensorflow.training import Moving, Seen, Still, Tensors

Tree = Any
Array = NDArray[Any]


class Part:
    """What some lanes are, in tensors.

    Attributes
    ----------
    lanes
        Which of the cohort's.
    moving, still
        What their steps change, and what stays as it is in a phase.
    """

    def __init__(self, lanes: NDArray[np.int64]) -> None:
        self.lanes = lanes
        self.moving = Moving({}, {}, {})
        self.still = Still({}, {})

    def begin(
        self,
        phase: Phase,
        weights: Mapping[str, Array],
        hyperparameters: optimizers.Hyperparameters,
    ) -> None:
        """Start a phase with these lanes of `laid_out`, stacked weights, and a fresh optimizer."""
        rule = optimizers.RULES[phase.optimizer.name]
        put = self.put(dict(weights))
        frozen = {name: value for name, value in put.items() if name.split("/")[0] in phase.frozen}
        names = phase.network.trained(phase.frozen)
        trained = {name: value for name, value in put.items() if name in names}
        averages = {n: value for n, value in put.items() if n not in frozen and n not in trained}
        one = tf.ones([len(self.lanes), 1, 1], next(iter(trained.values())).dtype)
        self.moving = Moving(
            weights=trained,
            averages=averages,
            slots=optimizers.first_slots(rule, trained, hyperparameters),
            product=(one,) if rule.scheduled else (),
        )
        self.still = Still(frozen, _nonzero(trained) if phase.keep_zeros else {})

    def weights(self) -> Tensors:
        """Return all weights by name."""
        return {**self.still.frozen, **self.moving.averages, **self.moving.weights}

    def put(self, tree: Tree) -> Tree:
        """Return this part of arrays [lanes, ...] as tensors."""
        return tf.nest.map_structure(lambda array: tf.constant(np.asarray(array)[self.lanes]), tree)


def _nonzero(trained: Tensors) -> Tensors:
    """Return which weights of the kernels are not zero."""
    return {name: value != 0 for name, value in trained.items() if name.endswith("/kernel")}


def laid_out(value: Array) -> Array:
    """Return a variable as the layers keep it: all but kernels with an axis for the rows."""
    return value if value.ndim == 3 else value[:, None]


def seen_by(
    rows: NDArray[np.int32],
    keys: Mapping[str, NDArray[np.uint32]],
    changes: augmentation.Changes | None,
    dtype: np.dtype[Any],
    arranged: Callable[[Array], Array],
) -> Seen:
    """Return what steps see as arrays [lanes, ...]; rows and changes are arranged by step."""
    images = () if changes is None else (changes.affine, changes.gain, changes.offset)
    put = [arranged(np.asarray(each, dtype)) for each in images]
    return Seen(arranged(np.asarray(rows, np.int32)), dict(keys), Changes(*put) if put else ())
