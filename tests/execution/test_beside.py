"""Commands beside a run that is in progress: each reads what is there and disturbs nothing."""

import time

import pytest

from manyseeds.ledger.runs import ledgers


@pytest.fixture
def running(start, tiny, tmp_path):
    """A slow run whose first job is in the ledger; its process and its results folder."""
    results = tmp_path / "results"
    process = start(
        "run", tiny(), "--backend", "numpy", "--results", results,
        MANYSEEDS_NUMPY_FAULT="slow:0.5",
    )  # fmt: skip
    until = time.monotonic() + 60
    while not list(results.glob("*/records/*.parquet")):
        assert time.monotonic() < until, "no job was recorded"
        time.sleep(0.05)
    return process, results


def test_a_report_beside_a_run_is_about_what_is_there(running, manyseeds, tmp_path):
    process, results = running
    answer = manyseeds("report", "--results", results, "--out", tmp_path / "out", "--format", "md")
    assert process.poll() is None  # it was beside it
    assert answer.status == 1
    assert "is incomplete" in answer.out
    assert (tmp_path / "out" / "tiny.md").is_file()
    process.communicate(timeout=120)
    assert process.returncode == 0
    (ledger,) = ledgers(results)
    assert set(ledger.records()["status"]) == {"ok"}


def test_a_run_in_progress_is_not_packed(running, manyseeds):
    process, results = running
    (ledger,) = ledgers(results)
    answer = manyseeds("pack", ledger.folder.name, "--results", results)
    assert answer.status == 2
    assert "is being written by another process" in answer.err
    process.communicate(timeout=120)
    assert process.returncode == 0
