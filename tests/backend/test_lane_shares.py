"""Shares of lanes: equal, complete, and as few copies as possible."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from manyseeds.backend.lane_shares import lane_shares


@given(lanes=st.integers(1, 300), threads=st.integers(1, 64))
def test_equal_shares_hold_every_lane_in_order_and_no_share_is_all_copies(lanes, threads):
    shares = lane_shares(lanes, threads)
    assert len(shares) <= threads
    assert shares.ravel()[:lanes].tolist() == list(range(lanes))
    assert (shares.ravel()[lanes:] == lanes - 1).all()
    assert (shares[:, 0] == np.arange(len(shares)) * shares.shape[1]).all()  # none is all copies
    assert shares.shape[1] == -(-lanes // threads)  # no share is larger than necessary


def test_shares_worked_by_hand():
    np.testing.assert_array_equal(lane_shares(5, 2), [[0, 1, 2], [3, 4, 4]])
    np.testing.assert_array_equal(lane_shares(5, 4), [[0, 1], [2, 3], [4, 4]])
    np.testing.assert_array_equal(lane_shares(2, 8), [[0], [1]])
