"""A cohort's lanes in equal shares, one for each thread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def lane_shares(lanes: int, threads: int) -> NDArray[np.int64]:
    """Return the lanes of each thread that gets any, [threads, share].

    Every share has the same size, so that one compiled program serves them all: copies of the last
    lane fill up the last shares, and the first `lanes` of what the threads return together are the
    cohort's.
    """
    share = -(-lanes // threads)
    used = -(-lanes // share)
    return np.minimum(np.arange(share * used), lanes - 1).reshape(used, share)
