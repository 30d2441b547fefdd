"""Fashion-MNIST, all of it: 60,000 + 10,000 images of clothes, 28 × 28 grey levels.

Debian's package dataset-fashion-mnist has other archives with the same content.
"""

from __future__ import annotations

from manyseeds.datasets import idx
from manyseeds.datasets.description import Dataset, RawDataset
from manyseeds.datasets.files import Source

SOURCE = Source(
    name="fashion-mnist",
    address="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    package="dataset-fashion-mnist",
    sha256={
        idx.TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        idx.TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        idx.TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        idx.TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    layouts=("FashionMNIST/raw", "fashion_mnist"),
)

CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def load() -> RawDataset:
    """Find or download the four files, check and read them."""
    return idx.read_mnist_like(SOURCE)


FASHION_MNIST = Dataset(
    name=SOURCE.name,
    title="Fashion-MNIST: grey images of ten kinds of clothes, 28 × 28",
    source="Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747; Zalando Research",
    licence="MIT",
    how_to_obtain="found or downloaded",
    train=60_000,
    test=10_000,
    features=784,
    classes=CLASSES,
    scale=255.0,
    sha256=SOURCE.sha256,
    load=load,
)
