"""Matrix products at the shapes of a training step, as fast as each installed library does them.

Their sum is the floor under a step's time: no step can be faster than its products.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.processes.host import cores
from manyseeds.techniques.network import Network

LEAST_REPEATS = 5
"""Least number of repeats of each product; the fastest counts."""

Matrices = NDArray[np.float32]
"""One matrix a lane: [lanes, rows, columns]."""
Call = Callable[[], object]


@dataclass(frozen=True)
class Product:
    """The shape of a product in every lane: [rows, inner] @ [inner, columns]."""

    rows: int
    inner: int
    columns: int

    @property
    def flops(self) -> int:
        """Floating-point operations in one lane: a multiplication and an addition each."""
        return 2 * self.rows * self.inner * self.columns


def step_products(network: Network, features: int, batch: int) -> tuple[Product, ...]:
    """Return the products of a training step.

    Each kernel has one forward and two backward, for its gradient and for its inputs' gradient;
    the first kernel's inputs need no gradient.
    """
    kernels = [shape for shape in network.shapes(features).values() if len(shape) == 2]
    forward = [Product(batch, inputs, units) for inputs, units in kernels]
    of_kernels = [Product(inputs, batch, units) for inputs, units in kernels]
    of_inputs = [Product(batch, units, inputs) for inputs, units in kernels[1:]]
    return (*forward, *of_kernels, *of_inputs)


def numpy_calls(left: Matrices, right: Matrices) -> Iterator[Call]:
    """Yield NumPy's product: lane after lane on all cores, then lanes side by side."""
    from threadpoolctl import threadpool_limits

    out = left @ right
    yield lambda: np.matmul(left, right, out=out)
    with threadpool_limits(1), _side_by_side(np.matmul, left, right, out) as call:
        yield call


def torch_calls(left: Matrices, right: Matrices) -> Iterator[Call]:
    """Yield PyTorch's product: one call for all lanes, then lanes side by side."""
    import torch

    a, b = torch.from_numpy(left), torch.from_numpy(right)
    out = torch.bmm(a, b)
    yield lambda: torch.bmm(a, b, out=out)
    threads = torch.get_num_threads()
    one_thread = partial(torch.set_num_threads, 1)
    with _side_by_side(torch.bmm, a, b, out, one_thread) as call:
        yield call
    torch.set_num_threads(threads)


def jax_calls(left: Matrices, right: Matrices) -> Iterator[Call]:
    """Yield JAX's product: one compiled call for all lanes."""
    import jax

    a, b = jax.device_put(left), jax.device_put(right)
    product = jax.jit(jax.numpy.matmul)
    yield lambda: product(a, b).block_until_ready()


def tensorflow_calls(left: Matrices, right: Matrices) -> Iterator[Call]:
    """Yield TensorFlow's product: one call for all lanes."""
    import tensorflow as tf

    with tf.device("cpu"):
        a, b = tf.constant(left), tf.constant(right)
        yield lambda: tf.linalg.matmul(a, b)


LIBRARIES: dict[str, Callable[[Matrices, Matrices], Iterator[Call]]] = {
    "numpy": numpy_calls,
    "torch": torch_calls,
    "jax": jax_calls,
    "tensorflow": tensorflow_calls,
}
"""By module name, the library's ways to multiply; each is valid until the next is requested."""


@contextmanager
def _side_by_side(
    multiply: Callable[..., Any],
    left: Any,
    right: Any,
    out: Any,
    prepare_thread: Call | None = None,
) -> Iterator[Call]:
    """Give each core a share of the lanes, in a thread of its own."""
    bounds = np.linspace(0, len(out), min(cores(), len(out)) + 1).astype(int)
    shares = [slice(*pair) for pair in itertools.pairwise(bounds)]
    with ThreadPoolExecutor(len(shares), initializer=prepare_thread) as pool:

        def share(lanes: slice) -> None:
            multiply(left[lanes], right[lanes], out=out[lanes])

        yield lambda: list(pool.map(share, shares))


def fastest(library: str, lanes: int, product: Product, seconds: float) -> float:
    """Return the least seconds in which a library multiplies in all lanes.

    Each of its ways to multiply is repeated for the given seconds.
    """
    generator = np.random.default_rng(0)
    left = generator.random((lanes, product.rows, product.inner), np.float32)
    right = generator.random((lanes, product.inner, product.columns), np.float32)
    return min(_least_seconds(call, seconds) for call in LIBRARIES[library](left, right))


def _least_seconds(call: Call, total: float) -> float:
    call()
    repeats: list[float] = []
    while len(repeats) < LEAST_REPEATS or sum(repeats) < total:
        started = time.perf_counter()
        call()
        repeats.append(time.perf_counter() - started)
    return min(repeats)
