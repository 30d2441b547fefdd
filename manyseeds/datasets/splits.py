"""From a task to its data: validation cut off, classes chosen, inputs scaled.

Arithmetic is in float64 and cast to the precision last, so that both precisions see the same data.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.settings import Precision
from manyseeds.backend.values import Floats, Split, Splits
from manyseeds.datasets.catalogue import dataset
from manyseeds.datasets.description import Dataset, Inputs, RawDataset, RawSplit
from manyseeds.errors import RequestError
from manyseeds.model import digest
from manyseeds.suite.recipe import Task

ROWS_AT_ONCE = 4096
"""Rows that are in memory as float64 at the same time."""
FEWEST_CLASSES = 2

Scaler = Callable[[Inputs], Floats]


def task_splits(task: Task, precision: Precision) -> Splits:
    """Return a task's training, validation and test data.

    The first `task.valid` rows of the training file are for validation, the rest for training.
    Then the task's classes are kept and relabelled 0, 1, … in the order given, in all three, and
    the inputs are scaled:

    - "unit": divided by the data set's `scale` (255 for images);
    - "standardised": then (x − mean) / sd, of each feature over the training split (sd with
      divisor n, as np.std); where a feature is constant there, the divisor is 1;
    - "raw": as in the file.

    The training split has all its rows: `task.train` is checked here, but
    `randomness.streams.training_rows` chooses the rows of each lane, and mean and sd are those
    before that choice.

    Parameters
    ----------
    task
        The data set and the choices above.
    precision
        Of the inputs.

    Returns
    -------
    Splits
        Inputs [n, features], C-contiguous; labels [n], int32.

    Raises
    ------
    RequestError
        If the task asks for what the data set does not have, or the data set cannot be had.
    """
    described = dataset(task.dataset)
    classes = _classes(task, described)
    if task.valid >= described.train:
        raise _wrong(
            task,
            f"valid = {task.valid} leaves nothing to train on",
            f"{described.name} has {described.train} training rows: write less",
        )
    raw = _load(described.name)
    kept = np.isin(raw.train.labels, classes)
    valid = int(np.count_nonzero(kept[: task.valid]))
    _check_rows(task, int(np.count_nonzero(kept)) - valid, valid)
    return _splits(described.name, task.valid, classes, task.scaling, precision)


@lru_cache(maxsize=2)
def _splits(
    name: str, valid: int, classes: tuple[int, ...], scaling: str, precision: Precision
) -> Splits:
    """Make the splits; the last ones made are kept: a suite's recipes come back to them."""
    described, raw = dataset(name), _load(name)
    train = _select(raw.train, slice(valid, None), classes)
    scaler = _scaler(scaling, described, train.inputs)
    return Splits(
        train=_scaled(train, scaler, precision),
        valid=_scaled(_select(raw.train, slice(valid), classes), scaler, precision),
        test=_scaled(_select(raw.test, slice(None), classes), scaler, precision),
        key=_key(described, valid, classes, scaling, precision),
    )


@lru_cache(maxsize=2)
def _load(name: str) -> RawDataset:
    raw = dataset(name).load()
    for split in (raw.train, raw.test):
        # Many tasks share it: a write would change the data of all of them.
        split.inputs.setflags(write=False)
        split.labels.setflags(write=False)
    return raw


def forget() -> None:
    """Drop the data kept in memory: what is asked for next is loaded again."""
    _load.cache_clear()
    _splits.cache_clear()


def _wrong(task: Task, problem: str, remedy: str) -> RequestError:
    return RequestError(f"task {task.name!r}: {problem}; {remedy}.")


def _classes(task: Task, described: Dataset) -> tuple[int, ...]:
    """Return the labels that are kept, in order; all of them where the task does not say."""
    known = len(described.classes)
    if task.classes is None:
        return tuple(range(known))
    given = f"classes = {list(task.classes)}"
    if stray := [label for label in task.classes if not 0 <= label < known]:
        raise _wrong(
            task,
            f"{given} names {', '.join(map(str, stray))}, which {described.name} does not have",
            f"its classes are 0 to {known - 1}",
        )
    if len(set(task.classes)) < len(task.classes):
        raise _wrong(task, f"{given} names a class twice", "name each once")
    if len(task.classes) < FEWEST_CLASSES:
        raise _wrong(task, f"{given} leaves nothing to tell apart", "name two classes or more")
    return task.classes


def _check_rows(task: Task, train: int, valid: int) -> None:
    """Check that there is something to train on and to validate on, and enough of it."""
    for rows, purpose, remedy in (
        (train, "train", "write less"),
        (valid, "validate", "write more"),
    ):
        if rows == 0:
            problem = f"valid = {task.valid} leaves no row of its classes to {purpose} on"
            raise _wrong(task, problem, remedy)
    if task.train is not None and task.train > train:
        problem = f"train = {task.train} is more than the {train} rows available"
        raise _wrong(task, problem, f"write at most {train}, or leave train out for all of them")


def _select(split: RawSplit, rows: slice, classes: tuple[int, ...]) -> RawSplit:
    """Keep the rows of these classes, relabelled 0, 1, … in the order given."""
    inputs, labels = split.inputs[rows], split.labels[rows]
    relabelled = np.full(len(labels), -1, np.int32)
    for new, old in enumerate(classes):
        relabelled[labels == old] = new
    kept = relabelled >= 0
    return RawSplit(inputs[kept], relabelled[kept])


def _blocks(rows: int) -> list[slice]:
    return [slice(start, start + ROWS_AT_ONCE) for start in range(0, rows, ROWS_AT_ONCE)]


def _scaler(scaling: str, described: Dataset, train: Inputs) -> Scaler:
    """Return the function that scales a block of rows, in float64."""
    if scaling == "raw":
        return lambda rows: rows.astype(np.float64)
    if scaling == "unit":
        return lambda rows: rows / described.scale
    mean, deviation = _moments(train, described.scale)
    return lambda rows: (rows / described.scale - mean) / deviation


def _moments(train: Inputs, scale: float) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of each feature / scale; of a constant one, sd is 1."""
    mean = train.sum(axis=0, dtype=np.float64) / (len(train) * scale)
    squares = np.zeros_like(mean)
    for block in _blocks(len(train)):
        squares += np.square(train[block] / scale - mean).sum(axis=0)
    # Told by its range: rounding can give a constant feature a tiny deviation.
    constant = train.min(axis=0) == train.max(axis=0)
    return mean, np.where(constant, 1.0, np.sqrt(squares / len(train)))


def _scaled(split: RawSplit, scaler: Scaler, precision: Precision) -> Split:
    inputs: NDArray[np.floating[Any]] = np.empty(split.inputs.shape, precision)
    for block in _blocks(len(split)):
        inputs[block] = scaler(split.inputs[block])
    for array in (inputs, split.labels):
        array.setflags(write=False)  # many recipes share them
    return Split(inputs, split.labels)


def _key(
    described: Dataset, valid: int, classes: tuple[int, ...], scaling: str, precision: Precision
) -> str:
    """Return a digest of all that determines the data; neither the task's name nor `train` does."""
    return digest(
        {
            "dataset": dict(described.sha256),
            "valid": valid,
            "classes": classes,
            "scaling": scaling,
            "scale": described.scale,
            "precision": precision,
        }
    )
