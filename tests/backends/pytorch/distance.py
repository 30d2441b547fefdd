"""How far apart two sets of weights are."""

import numpy as np


def distance(one, other):
    """Return the largest relative error of the weights, over their names."""
    return max(
        np.linalg.norm(one[name] - other[name]) / max(np.linalg.norm(other[name]), 1e-300)
        for name in other
    )
