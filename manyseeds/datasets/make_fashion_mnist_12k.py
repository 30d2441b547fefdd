"""Makes the embedded subset of Fashion-MNIST from the full data set, byte for byte.

`python -m manyseeds.datasets.make_fashion_mnist_12k [FOLDER]` writes the two files that
`fashion_mnist_12k` reads, and prints their sizes and the SHA-256 of their content. The content is
always the same; the compressed bytes are the same with the same version of liblzma.
"""

from __future__ import annotations

import hashlib
import lzma
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyseeds.datasets import fashion_mnist, idx
from manyseeds.datasets import fashion_mnist_12k as embedded
from manyseeds.datasets.description import Labels

DATA = Path(embedded.__file__).parent / "data"
IMAGE_SHAPE = (28, 28)
# Smaller than deflate, bzip2 and PNG's filters before either; the dictionary spans all images.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 24}]


def first_of_each_class(labels: Labels, count: int) -> NDArray[np.intp]:
    """Return the rows of the first `count` examples of each class, in the order of the file."""
    classes = range(len(fashion_mnist.CLASSES))
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:count] for c in classes]))


def contents() -> dict[str, bytes]:
    """Return the content of each embedded file, before compression."""
    full = fashion_mnist.load()
    train = first_of_each_class(full.train.labels, embedded.TRAIN_PER_CLASS)
    test = first_of_each_class(full.test.labels, embedded.TEST_PER_CLASS)
    images = np.concatenate([full.train.inputs[train], full.test.inputs[test]]).astype(np.uint8)
    labels = np.concatenate([full.train.labels[train], full.test.labels[test]]).astype(np.uint8)
    return {
        embedded.IMAGES: idx.encode(images.reshape(-1, *IMAGE_SHAPE)),
        embedded.LABELS: idx.encode(labels),
    }


def compress(content: bytes) -> bytes:
    """Return the content as an .xz file."""
    return lzma.compress(content, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, filters=FILTERS)


def main(folder: Path) -> None:
    """Write the embedded files into a folder."""
    for file, content in contents().items():
        stored = compress(content)
        (folder / file).write_bytes(stored)
        print(f"{file}: {len(stored)} bytes, content {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA)
