"""Changing the images of a batch, as `manyseeds.techniques.augmentation` defines."""

from __future__ import annotations

import math

from manyseeds.techniques.augmentation import Changes, augmented
from manyseeds_numpy.arrays import Array


def changed(inputs: Array, changes: Changes) -> Array:
    """Return changed inputs: square images [lanes, batch, features], and changes of each."""
    side = math.isqrt(inputs.shape[-1])
    each = Changes(
        affine=changes.affine.reshape(-1, 2, 3).astype(inputs.dtype),
        gain=changes.gain.ravel().astype(inputs.dtype),
        offset=changes.offset.ravel().astype(inputs.dtype),
    )
    return augmented(inputs.reshape(-1, side, side), each).reshape(inputs.shape)
