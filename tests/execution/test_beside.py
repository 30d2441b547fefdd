"""Commands beside a run that is in progress: each reads what is there and disturbs nothing."""

import os
import signal
import time

import pytest

from manyseeds.ledger.runs import ledgers


@pytest.fixture
def running(start, tiny, tmp_path):
    """A run that waits in its third job; its process and its results folder."""
    results = tmp_path / "results"
    process = start(
        "run", tiny(), "--backend", "numpy", "--results", results,
        MANYSEEDS_NUMPY_FAULT="hang:warm:0",
    )  # fmt: skip
    until = time.monotonic() + 120
    while len(list(results.glob("*/records/*.parquet"))) < 2:
        assert time.monotonic() < until, "no job was recorded"
        time.sleep(0.05)
    return process, results


def test_a_report_and_a_refused_pack_beside_a_run_disturb_nothing(running, manyseeds, tmp_path):
    process, results = running
    (ledger,) = ledgers(results)
    answer = manyseeds("report", "--results", results, "--out", tmp_path / "out", "--format", "md")
    assert answer.status == 1
    assert f"{ledger.folder.name} is incomplete" in answer.out
    assert (tmp_path / "out" / "tiny.md").is_file()
    answer = manyseeds("pack", ledger.folder, "--results", results)
    assert answer.status == 2
    assert "is being written by another process" in answer.err
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert manyseeds("run", "--resume", ledger.folder, "--results", results).status == 0
    assert set(ledger.records()["status"]) == {"ok"}
