"""Fingerprints of tensors: a few numbers that move by about e when a tensor moves by e.

Whole trajectories would be too large for the baseline. It has the norm of each tensor instead, and
its products with a few fixed pseudo-random vectors: a random product sees a change in any
direction, at its own size on average (Johnson and Lindenstrauss 1984; Achlioptas 2003 for vectors
that are not normal).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PRODUCTS = 3
"""Products per tensor. The chance that all of them see less than a tenth of a change in a random
direction is P(chi2_3 < 0.03), one in 700; and a change of training moves many tensors."""


def vectors(name: str, size: int) -> Floats:
    """Return the vectors that a tensor of this name and size is multiplied by, [PRODUCTS, size].

    Each has the norm sqrt(size), so that the root mean square of its product with a change is the
    change's norm. They are made from Philox's bits, which NumPy guarantees to be the same in every
    release; it does not guarantee that for its generators' distributions.
    """
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    bits = np.random.Philox(key=key).random_raw(PRODUCTS * size)
    drawn = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1
    directions = drawn.reshape(PRODUCTS, size)
    scale = np.sqrt(size) / np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(directions * scale)


def of_tensor(name: str, values: NDArray[Any], leading: int = 1) -> Floats:
    """Return the norm and the products of a tensor, [*leading axes, 1 + PRODUCTS].

    Parameters
    ----------
    name
        Selects the vectors.
    values
        The tensor. There is a fingerprint for each index of its first `leading` axes (lane, step).
    """
    flat = _flat(values, leading)
    norm = np.linalg.norm(flat, axis=-1, keepdims=True)
    return np.concatenate([norm, flat @ vectors(name, flat.shape[-1]).T], axis=-1)


def distance(ours: Floats, theirs: Floats) -> Floats:
    """Return the relative distance of tensors by their fingerprints, [...]; 0 / 0 is 0.

    It is the distance of the norms or of the products, whichever is larger: about
    ||a - b|| / ||b||. A value that is not finite makes it infinite.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.abs(ours - theirs)
        products = np.sqrt(np.mean(difference[..., 1:] ** 2, axis=-1))
        larger = np.maximum(difference[..., 0], products)
        ratio = np.where(larger == 0, 0.0, larger / np.abs(theirs[..., 0]))
    return _finite(ratio)


def of_group(tensors: Mapping[str, NDArray[Any]], leading: int = 2) -> Floats:
    """Return one fingerprint of a group of tensors, [*leading axes, 1 + PRODUCTS].

    Its first number is the norm of all tensors together, the others are products of their
    directions and of the logarithms of their norms. A relative change e of one tensor moves its
    direction and the logarithm of its norm by e together, whether the tensor is large or small
    beside the others.
    """
    squares, products = np.zeros(1), np.zeros(PRODUCTS)
    for name, values in tensors.items():
        flat = _flat(values, leading)
        norm = np.linalg.norm(flat, axis=-1, keepdims=True)
        scale = np.where(norm > 0, norm, 1.0)
        with np.errstate(invalid="ignore"):
            direction = (flat / scale) @ vectors(name, flat.shape[-1]).T
        size = np.log(scale) * vectors(f"{name}: norm", 1).T
        squares = squares + norm**2
        products = products + direction + size
    return np.concatenate([np.sqrt(squares), products], axis=-1)


def group_distance(ours: Floats, theirs: Floats) -> Floats:
    """Return the distance of groups of tensors by their fingerprints, [...].

    While the tensors' relative distances are small, it is about the root of the sum of their
    squares, and at least the relative distance of the norms. It saturates at about 1, since
    directions do.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.abs(ours - theirs)
        products = np.sqrt(np.mean(difference[..., 1:] ** 2, axis=-1))
        total = difference[..., 0]
        norms = np.where(total == 0, 0.0, total / np.abs(theirs[..., 0]))
    return _finite(np.maximum(products, norms))


def of_bytes(*arrays: NDArray[Any]) -> np.uint64:
    """Return a hash of arrays that must be equal bit for bit."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return np.uint64(int.from_bytes(digest.digest()[:8], "little"))


def _flat(values: NDArray[Any], leading: int) -> Floats:
    return np.asarray(values, dtype=np.float64).reshape(*values.shape[:leading], -1)


def _finite(ratio: Floats) -> Floats:
    return np.nan_to_num(ratio, nan=np.inf, posinf=np.inf)
