"""MNIST: 60,000 + 10,000 handwritten digits, 28 × 28 grey levels."""

from __future__ import annotations

from manyseeds.datasets import idx
from manyseeds.datasets.description import Dataset, RawDataset
from manyseeds.datasets.files import Source

SOURCE = Source(
    name="mnist",
    address="https://storage.googleapis.com/cvdf-datasets/mnist/",
    package=None,
    sha256={
        idx.TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        idx.TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        idx.TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        idx.TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    layouts=("MNIST/raw",),
)


def load() -> RawDataset:
    """Find or download the four files, check and read them."""
    return idx.read_mnist_like(SOURCE)


MNIST = Dataset(
    name=SOURCE.name,
    title="MNIST: handwritten digits, 28 × 28",
    source="LeCun, Bottou, Bengio and Haffner 1998",
    licence="CC BY-SA 3.0",
    how_to_obtain="found or downloaded",
    train=60_000,
    test=10_000,
    features=784,
    classes=tuple("0123456789"),
    scale=255.0,
    sha256=SOURCE.sha256,
    load=load,
)
