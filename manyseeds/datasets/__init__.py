"""Data sets: what there is, how it is had, and how a task's splits are made from it.

A new data set is one module that describes and loads it, and one line in `catalogue.py`.
"""

from __future__ import annotations

from manyseeds.datasets.catalogue import DATASETS, dataset
from manyseeds.datasets.description import Dataset, RawDataset, RawSplit
from manyseeds.datasets.splits import task_splits

__all__ = ["DATASETS", "Dataset", "RawDataset", "RawSplit", "dataset", "task_splits"]
