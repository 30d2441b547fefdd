"""Division of a cohort's lanes among threads, in equal shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def lane_shares(lanes: int, threads: int) -> NDArray[np.int64]:
    """Return the lanes of every thread that has any, [threads, share].

    All shares have the same size, so that one compiled program serves them all. Copies of the last
    lane fill up the last shares; of the threads' concatenated results, the first `lanes` are those
    of the cohort.

    >>> lane_shares(5, 2).tolist()
    [[0, 1, 2], [3, 4, 4]]
    """
    share = -(-lanes // threads)
    used = -(-lanes // share)
    return np.minimum(np.arange(share * used), lanes - 1).reshape(used, share)
