"""Every test of this folder opens the backend before TensorFlow is first used."""

import os

import pytest

from manyseeds.backend.settings import Settings
from manyseeds_tensorflow import entry

# Read when Keras and TensorFlow are imported, by the tests.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="module", autouse=True)
def single():
    return entry.open(Settings(precision="float32"))


@pytest.fixture(scope="module")
def double():
    return entry.open(Settings(precision="float64"))
