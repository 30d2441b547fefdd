"""A split in blocks of rows of one shape: what a backend that compiles programs scores at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from manyseeds.backend.values import Split
from manyseeds.techniques.network import Network

Array = Any
"""Of a framework or, before it is put on the device, of NumPy."""


class RowBlock(NamedTuple):
    """Rows that are scored together; blocks of one shape share a program, whatever their split.

    Attributes
    ----------
    inputs, labels
        [rows, features] and [rows] or [rows, units]; a block that is filled up ends with zeros.
    counted
        How many rows count.
    """

    inputs: Array
    labels: Array
    counted: Array


class SamplePlace(NamedTuple):
    """How a block is scored with dropout on, as `manyseeds.backend.values.Sampling` defines it.

    Attributes
    ----------
    samples
        How many.
    block, blocks
        Which block of the split it is, and how many blocks there are.
    """

    samples: Array
    block: Array
    blocks: Array


def label_type(network: Network, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of the labels: whole numbers for classes, else that of the weights."""
    return np.dtype(np.int32) if network.loss == "sparse_cross_entropy" else dtype


def row_blocks(
    split: Split,
    rows: int,
    dtype: np.dtype[Any],
    labels: np.dtype[Any],
    *,
    filled: bool = True,
) -> Iterator[RowBlock]:
    """Yield a split in blocks of rows on the host.

    Parameters
    ----------
    rows
        Of a block.
    dtype, labels
        The types of inputs and labels.
    filled
        The last block is filled up, not smaller.
    """
    for start in range(0, len(split), rows):
        part = slice(start, start + rows)
        count = min(rows, len(split) - start)
        columns = (split.inputs[part].astype(dtype), split.labels[part].astype(labels))
        missing = rows - count if filled else 0
        padding = [[(0, missing)] + [(0, 0)] * (each.ndim - 1) for each in columns]
        inputs, known = (np.pad(*each) for each in zip(columns, padding, strict=True))
        yield RowBlock(inputs, known, np.asarray(count, np.int32))
