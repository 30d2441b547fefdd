"""Fingerprints of tensors: a few numbers that move by about e where a tensor moves by e.

A trajectory is too large to keep. Of a tensor its norm and its products with a few fixed
pseudo-random vectors are kept instead: a random product sees a change of any direction, of its own
size on average (Johnson and Lindenstrauss 1984; Achlioptas 2003 for vectors that are not normal).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PRODUCTS = 3
"""Products kept of a tensor. That all of them see less than a tenth of a change of random
direction has a chance of P(chi2_3 < 0.03), one in 700; a change of training moves many tensors."""


@lru_cache(maxsize=4096)
def vectors(name: str, size: int) -> Floats:
    """Return the vectors a tensor of this name and size is multiplied by, [PRODUCTS, size].

    Each has the norm sqrt(size), so that its product with a change has the change's norm as its
    root mean square. Their numbers are made from Philox's bits, which NumPy keeps from release to
    release, as it does not keep those of its generators' distributions.
    """
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    bits = np.random.Philox(key=key).random_raw(PRODUCTS * size)
    drawn = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1
    found = drawn.reshape(PRODUCTS, size)
    scale = np.sqrt(size) / np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found * scale)


def of_tensor(name: str, values: NDArray[Any], leading: int = 1) -> Floats:
    """Return norm and products of a tensor, [..., 1 + PRODUCTS], over its leading axes.

    Parameters
    ----------
    name
        What the vectors are drawn by.
    values
        The tensor, whose first `leading` axes (lane, step) are fingerprinted one by one.
    """
    flat = _flat(values, leading)
    norm = np.linalg.norm(flat, axis=-1, keepdims=True)
    return np.concatenate([norm, flat @ vectors(name, flat.shape[-1]).T], axis=-1)


def distance(ours: Floats, theirs: Floats) -> Floats:
    """Return the relative distance of tensors by their fingerprints, [...]; 0 / 0 is 0.

    That of the norms or that of the products, whichever is larger: about ||a - b|| / ||b||. A value
    that is not finite makes it infinite.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.abs(ours - theirs)
        products = np.sqrt(np.mean(difference[..., 1:] ** 2, axis=-1))
        found = np.maximum(difference[..., 0], products)
        ratio = np.where(found == 0, 0.0, found / np.abs(theirs[..., 0]))
    return _finite(ratio)


def of_group(tensors: Mapping[str, NDArray[Any]], leading: int = 2) -> Floats:
    """Return one fingerprint of a group of tensors, [..., 1 + PRODUCTS], over their leading axes.

    First the norm of all of them together; then the products of their directions and of the
    logarithms of their norms. A change of relative size e of one tensor moves its direction and the
    logarithm of its norm by e together, be the tensor large or small beside the others.
    """
    squares, products = np.zeros(1), np.zeros(PRODUCTS)
    for name, values in tensors.items():
        flat = _flat(values, leading)
        norm = np.linalg.norm(flat, axis=-1, keepdims=True)
        some = norm > 0
        scale = np.where(some, norm, 1.0)
        with np.errstate(invalid="ignore"):
            turned = (flat / scale) @ vectors(name, flat.shape[-1]).T
        grown = np.log(scale) * vectors(f"{name}: norm", 1).T
        squares = squares + norm**2
        products = products + turned + grown
    return np.concatenate([np.sqrt(squares), products], axis=-1)


def group_distance(ours: Floats, theirs: Floats) -> Floats:
    """Return how far groups of tensors are apart by their fingerprints, [...].

    About the root of the sum of the squares of the tensors' relative distances while these are
    small, and at least that of the norms; large ones saturate at about 1, since directions do.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.abs(ours - theirs)
        products = np.sqrt(np.mean(difference[..., 1:] ** 2, axis=-1))
        total = difference[..., 0]
        norms = np.where(total == 0, 0.0, total / np.abs(theirs[..., 0]))
    return _finite(np.maximum(products, norms))


def of_bytes(*arrays: NDArray[Any]) -> np.uint64:
    """Return a number that is another for other arrays: for what must be equal bit for bit."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return np.uint64(int.from_bytes(digest.digest()[:8], "little"))


def _flat(values: NDArray[Any], leading: int) -> Floats:
    return np.asarray(values, dtype=np.float64).reshape(*values.shape[:leading], -1)


def _finite(ratio: Floats) -> Floats:
    return np.nan_to_num(ratio, nan=np.inf, posinf=np.inf)
