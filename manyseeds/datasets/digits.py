"""The handwritten digits of scikit-learn: 1,797 images, 8 × 8, each pixel a count of 0 to 16.

They are the test file of the original data set and have no split of their own: here the first 1,437
images are the training file and the last 360 the test file.
"""

from __future__ import annotations

import hashlib

import numpy as np

from manyseeds.datasets.description import Dataset, RawDataset, RawSplit
from manyseeds.errors import RequestError

TRAIN = 1_437
TEST = 360
SHA256 = {
    "data": "20def7f70a702f0af9732fbba4375e147a7d54fe70d8c45569b8e7c1c7010c10",
    "target": "3a0e68456f9a3c609b399717dd9ca55bb9153be1bccf72e38e3319cb740c75cd",
}


def load() -> RawDataset:
    """Read the digits from scikit-learn and check that they have the known content."""
    from sklearn.datasets import load_digits

    inputs, labels = load_digits(return_X_y=True)
    inputs, labels = np.ascontiguousarray(inputs, np.float64), labels.astype(np.int32)
    _check("data", inputs.astype("<f8").tobytes())
    _check("target", labels.astype("<i4").tobytes())
    return RawDataset(
        train=RawSplit(inputs[:TRAIN], labels[:TRAIN]),
        test=RawSplit(inputs[TRAIN:], labels[TRAIN:]),
    )


def _check(part: str, content: bytes) -> None:
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != SHA256[part]:
        raise RequestError(
            f"scikit-learn's digits have changed: the SHA-256 of their {part} should be "
            f"{SHA256[part]} but is {sha256}. Reinstall scikit-learn, or an earlier version of it."
        )


DIGITS = Dataset(
    name="digits",
    title="handwritten digits, 8 × 8 counts of 0 to 16",
    source="Alpaydın and Kaynak 1998, UCI Machine Learning Repository; scikit-learn",
    licence="CC BY 4.0",
    how_to_obtain="scikit-learn",
    train=TRAIN,
    test=TEST,
    features=64,
    classes=tuple("0123456789"),
    scale=16.0,
    sha256=SHA256,
    load=load,
)
