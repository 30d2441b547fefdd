"""Devices for the tests of parts that need no backend."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch.device import OpenDevice  # noqa: E402
from manyseeds_pytorch.device_native import compile_loops  # noqa: E402

LOOPS = compile_loops(None)


def cpu(dtype):
    """Return the CPU with one thread; PyTorch's settings stay as they are."""
    return OpenDevice(torch.device("cpu"), dtype, 1, LOOPS)


CPU = cpu(torch.float64)
