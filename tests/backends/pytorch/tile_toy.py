"""Random parameters, and tiles of them."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch.optimizers_base import ParameterTile  # noqa: E402

LANES = 3
SHAPES = [(LANES, 4, 5), (LANES, 1, 4)]


def tensors(seed, shapes=SHAPES):
    """Return normal float64 tensors of the shapes."""
    return [torch.tensor(np.random.default_rng(seed).normal(size=shape)) for shape in shapes]


def tile_of(parameters, gradients=None, lanes=slice(None)):
    values = list(parameters)
    slopes = [torch.zeros_like(v) for v in values] if gradients is None else list(gradients)
    return ParameterTile(lanes, range(len(slopes)), values, slopes)
