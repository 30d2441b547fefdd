"""The training worker: it goes on from a checkpoint of its own versions and code, and no other."""

import errno
import os

import numpy as np
import pytest
from manyseeds_numpy import faults
from manyseeds_numpy.training import NumpyBackend

from manyseeds.backend.settings import Settings
from manyseeds.execution import worker
from manyseeds.execution.worker import JobTrainer
from manyseeds.ledger.plan import Job
from manyseeds.suite.reader import parse_suite
from tests.conftest import TINY


@pytest.fixture
def phases(tmp_path):
    """Train the job of `transfer`, keeping all states; return the names of the phases trained."""
    suite = parse_suite(TINY, "tiny.toml", quick=False)
    recipe = suite.recipe("transfer", "")
    keep = frozenset(recipe.prefix(n) for n in (1, 2))
    job = Job(
        id=0, backend="numpy", recipe="transfer", case="", mode="cohort",
        vary="init+order+dropout+augment", seeds=(0, 1),
    )  # fmt: skip

    def train():
        trained = []
        trainer = JobTrainer(NumpyBackend(Settings()), Settings(), suite, tmp_path)
        message = trainer.run(job, 1, keep, lambda progress: trained.append(progress.phase))
        return list(dict.fromkeys(trained)), [r["test_accuracy"] for r in message["records"]]

    return train


ALL = ["pretrain", "frozen", "finetune"]


def test_a_checkpoint_of_the_same_versions_and_code_is_used_and_gives_the_same(phases):
    first, accuracies = phases()
    again, same = phases()
    assert (first, again) == (ALL, ["finetune"])
    assert same == accuracies


def test_a_state_that_cannot_be_saved_costs_no_row(phases, monkeypatch, capsys):
    first, accuracies = phases()

    def full(_path, _state):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(worker, "version", lambda name: "0.2.0")  # another checkpoint
    monkeypatch.setattr(worker, "save_state", full)
    assert phases() == (first, accuracies)
    assert phases() == (ALL, accuracies)
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["framework", "manyseeds", "code"])
def test_a_checkpoint_of_other_versions_or_code_is_not_used(phases, monkeypatch, change):
    assert phases()[0] == ALL
    if change == "framework":
        monkeypatch.setattr(faults, "version", lambda actual: f"{actual}.1")
        assert NumpyBackend(Settings()).describe().versions == {"numpy": f"{np.__version__}.1"}
    elif change == "manyseeds":
        monkeypatch.setattr(worker, "version", lambda name: "0.2.0")
    else:
        monkeypatch.setattr(worker, "code_digest", lambda packages: "another")
    assert phases()[0] == ALL
    assert phases()[0] == ["finetune"]
