"""Examples of 100 unit normals, as the chapter sends through 1,000 selu layers.

There is nothing to learn: the labels alternate between 0 and 1. The first 500 training rows are
meant for validation, the other 500 are the chapter's 500 × 100.
"""

from __future__ import annotations

import hashlib

import numpy as np

from manyseeds.datasets.description import Dataset, RawDataset, RawSplit
from manyseeds.errors import RequestError

FEATURES = 100
TRAIN = 1_000
TEST = 500
SEED = 42
SHA256 = {"inputs": "c6ec9fff3881ed6533f9e97357fe5d438bea0206fed19f68388e67174ba73dcd"}


def load() -> RawDataset:
    """Draw the examples and check that they have the known content."""
    generator = np.random.Generator(np.random.Philox(SEED))
    inputs = generator.standard_normal((TRAIN + TEST, FEATURES))
    sha256 = hashlib.sha256(inputs.astype("<f8").tobytes()).hexdigest()
    if sha256 != SHA256["inputs"]:
        raise RequestError(
            f"NumPy {np.__version__} draws other normals than expected: their SHA-256 should be "
            f"{SHA256['inputs']} but is {sha256}. Install the NumPy of constraints.txt."
        )
    labels = np.arange(TRAIN + TEST, dtype=np.int32) % 2
    return RawDataset(
        train=RawSplit(inputs[:TRAIN], labels[:TRAIN]),
        test=RawSplit(inputs[TRAIN:], labels[TRAIN:]),
    )


GAUSSIAN = Dataset(
    name="gaussian",
    title="100 unit normals per example; nothing to learn",
    source="Géron 2019, ch. 11, self-normalisation",
    licence="MIT",
    how_to_obtain="generated",
    train=TRAIN,
    test=TEST,
    features=FEATURES,
    classes=("even row", "odd row"),
    scale=1.0,
    sha256=SHA256,
    load=load,
)
