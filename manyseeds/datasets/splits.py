"""From a task to its data: validation rows cut off, classes chosen, inputs scaled."""

from __future__ import annotations

import cachetools
import numpy as np

from manyseeds.backend.settings import Precision
from manyseeds.backend.values import Split, Splits
from manyseeds.datasets.catalogue import dataset
from manyseeds.datasets.description import Dataset, RawDataset, RawSplit
from manyseeds.datasets.scaling import Scaler, make_scaler, scaled
from manyseeds.errors import RequestError
from manyseeds.model import digest
from manyseeds.suite.recipe import Scaling, Task

KEPT_IN_MEMORY = 2
"""Number of data sets, and of tasks' splits, that a `TaskData` keeps."""

_SplitsKey = tuple[str, int, tuple[int, ...], Scaling, Precision]


def task_splits(task: Task, precision: Precision) -> Splits:
    """Load a data set and return a task's training, validation and test data.

    The first `task.valid` rows of the training file are for validation, the rest for training.
    Then all three splits keep the task's classes, relabelled 0, 1, … in the order of
    `task.classes`, and the inputs are scaled:

    - "unit": divided by the data set's `scale` (255 for images);
    - "standardised": then (x − mean) / sd for each feature, with mean and sd of the training split
      (sd with the divisor n, as np.std); a feature that is constant there is divided by 1;
    - "raw": as in the file.

    The training split has all its rows. `task.train` is checked here, but
    `randomness.streams.training_rows` chooses the rows of each lane, and mean and sd are those
    before this choice.

    Parameters
    ----------
    task
        The data set and the choices above.
    precision
        The precision of the inputs.

    Returns
    -------
    Splits
        Inputs [rows, features], C-contiguous; labels [rows], int32; both read-only.

    Raises
    ------
    RequestError
        The task does not fit its data set, or the data set cannot be obtained.
    """
    return TaskData().splits(task, precision)


class TaskData:
    """Loads the splits of tasks and keeps the latest in memory, because recipes share them.

    It keeps `KEPT_IN_MEMORY` data sets as loaded and as many tasks' splits.
    """

    def __init__(self) -> None:
        self._raw: cachetools.LRUCache[str, RawDataset]
        self._splits: cachetools.LRUCache[_SplitsKey, Splits]
        self._raw = cachetools.LRUCache(KEPT_IN_MEMORY)
        self._splits = cachetools.LRUCache(KEPT_IN_MEMORY)

    def splits(self, task: Task, precision: Precision) -> Splits:
        """Return a task's splits as `task_splits` does; equal tasks get the same object."""
        described = dataset(task.dataset)
        classes = _classes(task, described)
        if task.valid >= described.train:
            raise _wrong(
                task,
                f"valid = {task.valid} leaves nothing to train on",
                f"{described.name} has {described.train} training rows: write less",
            )
        raw = self.raw(described)
        of_classes = np.isin(raw.train.labels, classes)
        valid = int(np.count_nonzero(of_classes[: task.valid]))
        _check_rows(task, int(np.count_nonzero(of_classes)) - valid, valid)
        key = (described.name, task.valid, classes, task.scaling, precision)
        if key not in self._splits:
            self._splits[key] = _splits(described, raw, key)
        return self._splits[key]

    def raw(self, described: Dataset) -> RawDataset:
        """Return a data set's files, read-only, loaded at most once while they are kept."""
        if described.name not in self._raw:
            raw = described.load()
            for split in (raw.train, raw.test):
                # Many tasks share them: a write would change the data of all of them.
                split.inputs.setflags(write=False)
                split.labels.setflags(write=False)
            self._raw[described.name] = raw
        return self._raw[described.name]


def _splits(described: Dataset, raw: RawDataset, key: _SplitsKey) -> Splits:
    _, valid, classes, scaling, precision = key
    train = _select(raw.train, slice(valid, None), classes)
    scaler = make_scaler(scaling, described.scale, train.inputs)
    return Splits(
        train=_scaled(train, scaler, precision),
        valid=_scaled(_select(raw.train, slice(valid), classes), scaler, precision),
        test=_scaled(_select(raw.test, slice(None), classes), scaler, precision),
        key=_digest(described, key),
    )


def _wrong(task: Task, problem: str, remedy: str) -> RequestError:
    return RequestError(f"task {task.name!r}: {problem}; {remedy}.")


def _classes(task: Task, described: Dataset) -> tuple[int, ...]:
    """Return the task's labels in order; all labels of the data set if the task names none."""
    known = len(described.classes)
    if task.classes is None:
        return tuple(range(known))
    written = f"classes = {list(task.classes)}"
    if stray := [label for label in task.classes if not 0 <= label < known]:
        raise _wrong(
            task,
            f"{written} names {', '.join(map(str, stray))}, which {described.name} does not have",
            f"its classes are 0 to {known - 1}",
        )
    return task.classes


def _check_rows(task: Task, train: int, valid: int) -> None:
    """Check that enough rows of the task's classes are left to train and to validate on."""
    for rows, purpose, remedy in (
        (train, "train", "write less"),
        (valid, "validate", "write more"),
    ):
        if rows == 0:
            problem = f"valid = {task.valid} leaves no row of its classes to {purpose} on"
            raise _wrong(task, problem, remedy)
    if task.train is not None and task.train > train:
        problem = f"train = {task.train} is more than the {train} rows available"
        raise _wrong(task, problem, f"write at most {train}, or leave train out to use all of them")


def _select(split: RawSplit, rows: slice, classes: tuple[int, ...]) -> RawSplit:
    """Return the rows of these classes, relabelled 0, 1, … in the order of `classes`."""
    inputs, labels = split.inputs[rows], split.labels[rows]
    relabelled = np.full(len(labels), -1, np.int32)
    for new, old in enumerate(classes):
        relabelled[labels == old] = new
    selected = relabelled >= 0
    return RawSplit(inputs[selected], relabelled[selected])


def _scaled(split: RawSplit, scaler: Scaler, precision: Precision) -> Split:
    inputs = scaled(split.inputs, scaler, precision)
    for array in (inputs, split.labels):
        array.setflags(write=False)  # many recipes share them
    return Split(inputs, split.labels)


def _digest(described: Dataset, key: _SplitsKey) -> str:
    """Return a digest of all that determines the data; neither the task's name nor `train` does."""
    _, valid, classes, scaling, precision = key
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
