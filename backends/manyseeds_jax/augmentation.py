"""Data augmentation in the step, as `techniques.augmentation.augmented` defines it; one lane."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates


class LaneChanges(NamedTuple):
    """What becomes of one lane's images: affine [n, 2, 3], gain [n], offset [n]."""

    affine: jax.Array
    gain: jax.Array
    offset: jax.Array


def augmented(inputs: jax.Array, changes: LaneChanges) -> jax.Array:
    """Return changed images, [batch, features], of square images of that shape."""
    side = math.isqrt(inputs.shape[1])
    centre = (side - 1) / 2
    along = jnp.arange(side, dtype=inputs.dtype) - centre
    y, x = jnp.meshgrid(along, along, indexing="ij")

    def change(image: jax.Array, changes: LaneChanges) -> jax.Array:
        columns, rows = (
            changes.affine[axis, 0] * x + changes.affine[axis, 1] * y + changes.affine[axis, 2]
            for axis in (0, 1)
        )
        places = (rows + centre, columns + centre)
        moved = map_coordinates(image, places, order=1, mode="constant", cval=0.0)
        mean = jnp.mean(moved)
        return (moved - mean) * changes.gain + mean + changes.offset

    images = inputs.reshape(-1, side, side)
    return jax.vmap(change)(images, changes).reshape(inputs.shape)
