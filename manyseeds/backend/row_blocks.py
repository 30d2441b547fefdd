"""A split cut into blocks of rows of one shape, for backends that compile programs.

Blocks of the same shape share one compiled program, whatever split they belong to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from manyseeds.backend.values import Split
from manyseeds.techniques.network import Network

Array = Any
"""An array of a framework or, before it is copied to the device, of NumPy."""


class RowBlock(NamedTuple):
    """Rows that are scored together.

    Attributes
    ----------
    inputs, labels
        [rows, features], and [rows] or [rows, units]; a padded block ends with rows of zeros.
    counted
        Number of rows that are not padding.
    """

    inputs: Array
    labels: Array
    counted: Array


class SamplePlace(NamedTuple):
    """The place of a block in Monte Carlo dropout, as `manyseeds.backend.values.Sampling` defines.

    Attributes
    ----------
    samples
        Number of samples.
    block, blocks
        Number of this block, from 0, and number of blocks in the split.
    """

    samples: Array
    block: Array
    blocks: Array


def label_type(network: Network, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of the labels: int32 for classes, else the type of the weights."""
    return np.dtype(np.int32) if network.loss == "sparse_cross_entropy" else dtype


def row_blocks(
    split: Split,
    rows: int,
    dtype: np.dtype[Any],
    labels: np.dtype[Any],
    *,
    filled: bool = True,
) -> Iterator[RowBlock]:
    """Yield a split in blocks of rows, as NumPy arrays.

    Parameters
    ----------
    rows
        Number of rows in a block.
    dtype, labels
        The types of inputs and labels.
    filled
        Pad the last block to `rows` rows with zeros; otherwise it may be smaller.
    """
    for start in range(0, len(split), rows):
        part = slice(start, start + rows)
        count = min(rows, len(split) - start)
        columns = (split.inputs[part].astype(dtype), split.labels[part].astype(labels))
        missing = rows - count if filled else 0
        inputs, targets = (_padded(values, missing) for values in columns)
        yield RowBlock(inputs, targets, np.asarray(count, np.int32))


def _padded(values: np.ndarray[Any, Any], rows: int) -> np.ndarray[Any, Any]:
    """Return an array with this many rows of zeros appended."""
    return np.pad(values, [(0, rows)] + [(0, 0)] * (values.ndim - 1))
