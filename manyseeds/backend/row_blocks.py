"""A split in pieces of one shape: what a backend that compiles programs scores at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from manyseeds.backend.values import Split
from manyseeds.techniques.network import Network

Array = Any
"""Of a framework or, before it is put on the device, of NumPy."""


class Piece(NamedTuple):
    """Rows that are scored together; pieces of one shape share a program, whatever their split.

    Attributes
    ----------
    inputs, labels
        [rows, features] and [rows] or [rows, units]; a piece that is filled up ends with zeros.
    counted
        How many rows count.
    """

    inputs: Array
    labels: Array
    counted: Array


class Sampled(NamedTuple):
    """How a piece is scored with dropout on, as `manyseeds.backend.values.Sampling` defines it.

    Attributes
    ----------
    samples
        How many.
    block, blocks
        Which block of the split the piece is, and how many blocks there are.
    """

    samples: Array
    block: Array
    blocks: Array


def label_type(network: Network, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of the labels: whole numbers for classes, else that of the weights."""
    return np.dtype(np.int32) if network.loss == "sparse_cross_entropy" else dtype


def pieces(
    split: Split,
    rows: int,
    dtype: np.dtype[Any],
    labels: np.dtype[Any],
    *,
    filled: bool = True,
) -> Iterator[Piece]:
    """Yield a split in pieces on the host.

    Parameters
    ----------
    rows
        Of a piece.
    dtype, labels
        The types of inputs and labels.
    filled
        The last piece is filled up, not smaller.
    """
    for start in range(0, len(split), rows):
        part = slice(start, start + rows)
        count = min(rows, len(split) - start)
        columns = (split.inputs[part].astype(dtype), split.labels[part].astype(labels))
        missing = rows - count if filled else 0
        padding = [[(0, missing)] + [(0, 0)] * (each.ndim - 1) for each in columns]
        inputs, known = (np.pad(*each) for each in zip(columns, padding, strict=True))
        yield Piece(inputs, known, np.asarray(count, np.int32))
