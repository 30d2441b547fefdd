"""The opened backends that the tests of the JAX wing share."""

import pytest

from manyseeds.backend.settings import Settings


@pytest.fixture(scope="session")
def single():
    """Return the backend in float32, on two threads."""
    return opened("float32")


@pytest.fixture(scope="session")
def double():
    """Return the backend in float64, on two threads."""
    return opened("float64")


@pytest.fixture
def fresh():
    """Return a function that opens a backend which has compiled nothing yet."""
    return opened


def opened(precision):
    for package in ("jax", "flax", "optax"):
        pytest.importorskip(package)
    from manyseeds_jax import entry

    return entry.open(Settings(precision=precision, threads=2))
