"""A network with one penalised or constrained kernel, and weights for it."""

import pytest

from manyseeds.techniques.layers import Dense
from manyseeds.techniques.network import Network

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from tests.backends.pytorch.tile_toy import LANES, tensors  # noqa: E402


def a_network(**fields):
    layers = Dense(units=4, activation="relu", **fields), Dense(units=2, activation="softmax")
    return Network(name="n", layers=layers)


def some_weights():
    names = ("hidden1/kernel", "hidden1/bias", "output/kernel", "output/bias")
    shapes = [(LANES, 4, 5), (LANES, 1, 4), (LANES, 2, 4), (LANES, 1, 2)]
    weights = dict(zip(names, tensors(1, shapes), strict=True))
    weights["hidden1/kernel"][:, 0, 0] = 0.0
    return weights
