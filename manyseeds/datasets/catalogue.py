"""The list of all data sets."""

from __future__ import annotations

from collections.abc import Mapping

from manyseeds.datasets.description import Dataset
from manyseeds.datasets.digits import DIGITS
from manyseeds.datasets.fashion_mnist import FASHION_MNIST
from manyseeds.datasets.fashion_mnist_12k import FASHION_MNIST_12K
from manyseeds.datasets.gaussian import GAUSSIAN
from manyseeds.datasets.mnist import MNIST
from manyseeds.errors import RequestError, unknown

DATASETS: Mapping[str, Dataset] = {
    entry.name: entry
    for entry in (
        FASHION_MNIST,
        FASHION_MNIST_12K,
        MNIST,
        DIGITS,
        GAUSSIAN,
    )
}


def dataset(name: str) -> Dataset:
    """Return a data set's description by its name.

    Raises
    ------
    RequestError
        No data set has this name; the message lists them.
    """
    if name not in DATASETS:
        raise RequestError(unknown("dataset", name, DATASETS))
    return DATASETS[name]
