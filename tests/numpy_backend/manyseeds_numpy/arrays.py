"""What the arrays of this backend are: stacked, the first axis of each is the lane."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Weights = dict[str, Array]
Keys = NDArray[np.uint32]


def per_lane(values: Array, like: Array) -> Array:
    """Return values [lanes] in the shape [lanes, 1, …] and the precision of `like`."""
    return values.astype(like.dtype).reshape(-1, *(1,) * (like.ndim - 1))
