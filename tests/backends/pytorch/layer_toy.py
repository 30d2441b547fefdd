"""Random values, variables and passes for the tests of layers."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch.layers import ForwardPass  # noqa: E402
from manyseeds_pytorch.noise import network_noise  # noqa: E402
from tests.backends.pytorch.device_toy import CPU  # noqa: E402

LANES, BATCH, UNITS = 3, 5, 7

RANDOM = np.random.default_rng(7)

KEYS = RANDOM.integers(0, 2**32, (LANES, 2), dtype=np.uint32)


def values(*shape, learned=False):
    return torch.tensor(RANDOM.normal(size=shape), requires_grad=learned)


def training(*labels, step=4, **fields):
    noise = network_noise(dict.fromkeys(labels, KEYS), CPU)
    return ForwardPass(training=True, dropout=True, noise=noise, step=step, **fields)


def variable(*shape):
    """Return a trained variable whose gradient buffer is filled with 3."""
    learned_values = values(*shape, learned=True)
    learned_values.grad = torch.full_like(learned_values, 3.0)
    return learned_values
