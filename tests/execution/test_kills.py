"""Commands killed at random moments lose no row, double none, and leave nothing behind."""

import pytest

from tests.execution.kills import run_kills


@pytest.mark.slow
def test_a_dozen_kills_change_nothing_in_the_end(tmp_path):
    counts = run_kills(tmp_path, kills=12, seed=1)
    assert counts.kills.total() >= 12
    assert counts.delivered == counts.promised == 9 * counts.runs > 0
    assert (counts.lost, counts.doubled, counts.different) == (0, 0, 0)
    assert counts.files == []
    assert counts.processes == 0
    assert counts.tracebacks == []
