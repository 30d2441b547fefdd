"""Augmentation of one lane's images in the step, as `techniques.augmentation.augmented` defines it.

The random numbers are drawn on the host and come with the batch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates


class DeviceChanges(NamedTuple):
    """The changes to a lane's images: affine maps [n, 2, 3], gains [n] and offsets [n]."""

    affine: jax.Array
    gain: jax.Array
    offset: jax.Array


def augmented(inputs: jax.Array, changes: DeviceChanges) -> jax.Array:
    """Return the changed images of a batch.

    Parameters
    ----------
    inputs
        Square images, [batch, features].
    changes
        A change for every image.

    Returns
    -------
    [batch, features]
    """
    side = math.isqrt(inputs.shape[1])
    centre = (side - 1) / 2
    along = jnp.arange(side, dtype=inputs.dtype) - centre
    y, x = jnp.meshgrid(along, along, indexing="ij")

    def change(image: jax.Array, changes: DeviceChanges) -> jax.Array:
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
