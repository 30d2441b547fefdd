"""The data sets, and the splits that tasks make of them.

Belongs here: descriptions, loaders, checksums, and everything from a file to a task's scaled
splits. Not here: the rows that a lane trains on, their order, and the changes of images, which are
in `randomness` and `techniques`. A new data set is one module that describes and loads it, and one
line in `catalogue.py`.
"""

from __future__ import annotations

from manyseeds.datasets.catalogue import DATASETS, dataset
from manyseeds.datasets.description import Dataset, RawDataset, RawSplit
from manyseeds.datasets.splits import TaskData, task_splits

__all__ = ["DATASETS", "Dataset", "RawDataset", "RawSplit", "TaskData", "dataset", "task_splits"]
