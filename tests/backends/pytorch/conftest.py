"""The opened backends that the tests of PyTorch share."""

import pytest

from manyseeds.backend.settings import Settings


@pytest.fixture(scope="session")
def double():
    """Return the backend in float64."""
    return opened("float64")


@pytest.fixture(scope="session")
def single():
    """Return the backend in float32."""
    return opened("float32")


def opened(precision):
    pytest.importorskip("torch")
    pytest.importorskip("numba")
    from manyseeds_pytorch import entry

    return entry.open(Settings(precision=precision))
