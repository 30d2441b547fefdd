"""What is known of a data set before it is loaded, and what loading it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Inputs = NDArray[np.uint8] | NDArray[np.float64]
Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class RawSplit:
    """Examples as they stand in the file: inputs [n, features], labels [n], 0, 1, …."""

    inputs: Inputs
    labels: Labels

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class RawDataset:
    """The training file and the test file of a data set, before any choice of a task."""

    train: RawSplit
    test: RawSplit


@dataclass(frozen=True)
class Dataset:
    """A data set that `manyseeds list datasets` names.

    Attributes
    ----------
    name
        What a task calls it.
    title
        What it is, in a line.
    source
        The paper or the people it comes from.
    licence
        Under which it may be used.
    had
        "embedded": comes with manyseeds · "scikit-learn": comes with scikit-learn · "generated":
        drawn anew each time · "found or fetched": looked for on this machine, then fetched once.
    train, test
        Examples in the training file and in the test file.
    features
        Inputs of an example.
    classes
        What the labels 0, 1, … mean.
    scale
        The "unit" scaling divides by this: the largest value an input can have.
    sha256
        Part -> SHA-256 of its content, checked whenever it is loaded.
    load
        Reads and checks the data, every time it is called; raises `RequestError` where it
        cannot be had or is damaged.
    """

    name: str
    title: str
    source: str
    licence: str
    had: Literal["embedded", "scikit-learn", "generated", "found or fetched"]
    train: int
    test: int
    features: int
    classes: tuple[str, ...]
    scale: float
    sha256: Mapping[str, str]
    load: Callable[[], RawDataset] = field(repr=False)
