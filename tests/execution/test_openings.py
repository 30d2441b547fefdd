"""Workers that die as they open, or cannot be started: real processes of the real command."""

import subprocess

import pytest

from manyseeds.ledger.runs import ledgers


@pytest.fixture
def train(manyseeds, tiny, tmp_path):
    def call(*arguments):
        results = tmp_path / "results"
        answer = manyseeds("run", tiny(), "--backend", "numpy", "--results", results, *arguments)
        (ledger,) = ledgers(results)
        return answer, ledger

    return call


def test_a_worker_that_dies_once_as_it_opens_costs_no_row(train, monkeypatch, tmp_path):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", f"once:{tmp_path / 'opened'}")
    answer, ledger = train()
    assert answer.status == 0, answer.err
    assert (tmp_path / "opened").exists()
    assert set(ledger.records()["status"]) == {"ok"}


def test_a_run_that_can_start_no_process_says_what_to_do_and_is_resumed(
    train, manyseeds, monkeypatch, tmp_path
):
    def refuse(*_args, **_kwargs):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as limited:
        limited.setattr(subprocess, "Popen", refuse)
        answer, ledger = train()
    assert answer.status == 1
    said = answer.err.replace("\n", " ")
    assert "cannot start a worker process" in said
    assert "ulimit -u" in said
    assert f"--resume {ledger.folder.name}" in said
    assert set(ledger.records()["status"]) == {"missing"}
    again = manyseeds("run", "--resume", ledger.folder, "--results", tmp_path / "results")
    assert again.status == 0
    assert set(ledger.records()["status"]) == {"ok"}


def test_a_person_is_told_which_variables_a_backend_ignores(train, monkeypatch):
    monkeypatch.setenv("NUMPY_BACKEND_FAST", "1")
    answer, ledger = train("--recipe", "scratch")
    assert answer.status == 0
    assert "numpy ignores NUMPY_BACKEND_FAST, which would change its numbers" in answer.err
    (environment,) = ledger.provenance[-1]["backends"].values()
    assert environment["ignored"] == ["NUMPY_BACKEND_FAST"]
