"""The description of a data set, known before it is loaded, and the loaded files."""

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
    """Examples as stored in a file: inputs [n, features] and labels [n], which are 0, 1, …."""

    inputs: Inputs
    labels: Labels

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class RawDataset:
    """The training file and the test file of a data set, before a task chooses from them."""

    train: RawSplit
    test: RawSplit


@dataclass(frozen=True)
class Dataset:
    """The description of a data set, listed by `manyseeds list datasets`.

    Attributes
    ----------
    name
        The name by which tasks refer to the data set.
    title
        A description in one line.
    source
        The paper or the people it comes from.
    licence
        The licence under which it may be used.
    how_to_obtain
        "embedded": comes with manyseeds · "scikit-learn": comes with scikit-learn · "generated":
        drawn anew each time · "found or downloaded": looked for on this machine, then downloaded
        once.
    train, test
        Number of examples in the training file and in the test file.
    features
        Number of inputs of an example.
    classes
        Names of the classes 0, 1, ….
    scale
        The largest value an input can have, by which the "unit" scaling divides.
    sha256
        SHA-256 of the content of every part, by its name; checked at every loading.
    load
        Reads and checks the data at every call; raises a `RequestError` if they cannot be obtained
        or are damaged.
    """

    name: str
    title: str
    source: str
    licence: str
    how_to_obtain: Literal["embedded", "scikit-learn", "generated", "found or downloaded"]
    train: int
    test: int
    features: int
    classes: tuple[str, ...]
    scale: float
    sha256: Mapping[str, str]
    load: Callable[[], RawDataset] = field(repr=False)
