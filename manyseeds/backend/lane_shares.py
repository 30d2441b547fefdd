"""Dealing a cohort's lanes out to threads that must all hold the same number of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def dealt(lanes: int, threads: int) -> NDArray[np.int64]:
    """Return the lanes of every thread that gets any, [threads, share].

    Every share has the same size, so that one compiled program serves them all: copies of the last
    lane fill up the last shares, and the first `lanes` of what the threads return together are the
    cohort's.
    """
    share = -(-lanes // threads)
    used = -(-lanes // share)
    return np.minimum(np.arange(share * used), lanes - 1).reshape(used, share)
