"""The Fashion-MNIST that comes with manyseeds: 10,000 + 2,000 of its images.

A fixed choice: the first 1,000 of each class in the training file and the first 200 of each class
in the test file, in the order of those files. `make_fashion_mnist_12k` makes the two stored files.
"""

from __future__ import annotations

from importlib.resources import files

from manyseeds.datasets import idx
from manyseeds.datasets.description import Dataset, RawDataset, RawSplit
from manyseeds.datasets.fashion_mnist import CLASSES
from manyseeds.datasets.files import verified

TRAIN_PER_CLASS = 1_000
TEST_PER_CLASS = 200
TRAIN = TRAIN_PER_CLASS * len(CLASSES)
TEST = TEST_PER_CLASS * len(CLASSES)

IMAGES = "fashion-mnist-12k-images-idx3-ubyte.xz"
LABELS = "fashion-mnist-12k-labels-idx1-ubyte.xz"
SHA256 = {
    IMAGES: "5dd47433dc1a0c944304116dcb8114056ace8f8c2fecaa7892b2ef0a928b7074",
    LABELS: "9916238f5d3d9552ad2a0d79bd8d9a821ed18cd61761796cfa789ef3b5bf838e",
}


def load() -> RawDataset:
    """Read and check the embedded files: the training images, then the test images."""
    both = idx.examples(_content(IMAGES), _content(LABELS))
    return RawDataset(
        train=RawSplit(both.inputs[:TRAIN], both.labels[:TRAIN]),
        test=RawSplit(both.inputs[TRAIN:], both.labels[TRAIN:]),
    )


def _content(file: str) -> bytes:
    stored = files(__package__).joinpath("data", file)
    remedy = "This installation of manyseeds is damaged: install it anew."
    return verified(str(stored), stored.read_bytes(), SHA256[file], remedy)


FASHION_MNIST_12K = Dataset(
    name="fashion-mnist-12k",
    title="the first 1,000 + 200 images of each class of Fashion-MNIST",
    source="Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747; Zalando Research",
    licence="MIT",
    had="embedded",
    train=TRAIN,
    test=TEST,
    features=784,
    classes=CLASSES,
    scale=255.0,
    sha256=SHA256,
    load=load,
)
