"""The IDX file format of MNIST and its descendants: a magic number, the shape, then the bytes.

The four bytes of the magic number are 0, 0, the type of the values (8: unsigned bytes, the only
type these data sets use) and the number of axes; the shape follows as big-endian 32-bit words.
Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", file formats.
"""

from __future__ import annotations

import math
import struct

import numpy as np
from numpy.typing import NDArray

from manyseeds.datasets.description import RawDataset, RawSplit
from manyseeds.datasets.files import Source

UNSIGNED_BYTE = 8
_MAGIC = struct.Struct(">HBB")

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"


def encode(values: NDArray[np.uint8]) -> bytes:
    """Return the content of an IDX file with an array of at least one axis.

    >>> encode(np.array([7, 9], np.uint8)).hex(" ", -4)
    '00000801 00000002 0709'
    """
    magic = _MAGIC.pack(0, UNSIGNED_BYTE, values.ndim)
    return magic + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def decode(content: bytes) -> NDArray[np.uint8]:
    """Return the array in an IDX file of unsigned bytes, as a read-only view of `content`.

    Raises
    ------
    ValueError
        The content is not such a file, or is longer or shorter than its header says.
    """
    if len(content) < _MAGIC.size:
        raise ValueError(f"not an IDX file: only {len(content)} bytes")
    zero, kind, axes = _MAGIC.unpack_from(content)
    if zero != 0 or kind != UNSIGNED_BYTE or axes == 0:
        raise ValueError(
            f"not an IDX file of unsigned bytes: it starts with {content[: _MAGIC.size].hex()}, "
            "expected 0000 08 and the number of axes"
        )
    header = _MAGIC.size + 4 * axes
    if len(content) < header:
        raise ValueError(f"truncated IDX file: {len(content)} bytes, its header alone has {header}")
    shape = struct.unpack_from(f">{axes}I", content, _MAGIC.size)
    expected = header + math.prod(shape)
    if len(content) != expected:
        raise ValueError(
            f"IDX file of the wrong length: {len(content)} bytes, "
            f"expected {expected} for the shape {shape}"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def examples(images: bytes, labels: bytes) -> RawSplit:
    """Return examples from two IDX files: images [n, height, width], flattened, and labels [n]."""
    pixels = decode(images)
    return RawSplit(pixels.reshape(len(pixels), -1), decode(labels))


def read_mnist_like(source: Source) -> RawDataset:
    """Read the four IDX files of MNIST or one of its drop-in replacements."""
    return RawDataset(
        train=examples(source.content(TRAIN_IMAGES), source.content(TRAIN_LABELS)),
        test=examples(source.content(TEST_IMAGES), source.content(TEST_LABELS)),
    )
