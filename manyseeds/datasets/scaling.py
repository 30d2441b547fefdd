"""Scaling of inputs, block by block, so that few rows are in memory as float64 at a time.

Arithmetic is in float64 and rounded to the precision last: both precisions see the same data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.settings import Precision
from manyseeds.backend.values import Floats
from manyseeds.datasets.description import Inputs
from manyseeds.suite.recipe import Scaling

ROWS_AT_ONCE = 4096
"""Number of rows that are in memory as float64 at the same time."""

Scaler = Callable[[Inputs], Floats]
"""Scales a block of rows, [rows, features], in float64."""


def make_scaler(scaling: Scaling, scale: float, train: Inputs) -> Scaler:
    """Return the function that scales a block of rows.

    Parameters
    ----------
    scaling
        As in `manyseeds.suite.recipe.Task`.
    scale
        The data set's largest possible input, by which "unit" and "standardised" divide first.
    train
        The training split's inputs, [rows, features]; "standardised" uses their mean and sd.
    """
    if scaling == "raw":
        return lambda rows: rows.astype(np.float64)
    if scaling == "unit":
        return lambda rows: rows / scale
    mean, deviation = moments(train, scale)
    return lambda rows: (rows / scale - mean) / deviation


def moments(inputs: Inputs, scale: float) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of every feature divided by `scale`, [features] each.

    The standard deviation has the divisor n, as np.std; that of a constant feature is returned as
    1, so that one can divide by it.

    >>> mean, deviation = moments(np.array([[0.0, 8.0], [4.0, 8.0]]), 2.0)
    >>> mean.tolist(), deviation.tolist()
    ([1.0, 4.0], [1.0, 1.0])
    """
    mean = inputs.sum(axis=0, dtype=np.float64) / (len(inputs) * scale)
    squares = np.zeros_like(mean)
    for block in _blocks(len(inputs)):
        squares += np.square(inputs[block] / scale - mean).sum(axis=0)
    # By its range: rounding can give a constant feature a tiny deviation.
    constant = inputs.min(axis=0) == inputs.max(axis=0)
    return mean, np.where(constant, 1.0, np.sqrt(squares / len(inputs)))


def scaled(inputs: Inputs, scaler: Scaler, precision: Precision) -> NDArray[np.floating[Any]]:
    """Return scaled inputs, [rows, features], C-contiguous, in the given precision."""
    result: NDArray[np.floating[Any]] = np.empty(inputs.shape, precision)
    for block in _blocks(len(inputs)):
        result[block] = scaler(inputs[block])
    return result


def _blocks(rows: int) -> list[slice]:
    return [slice(start, start + ROWS_AT_ONCE) for start in range(0, rows, ROWS_AT_ONCE)]
