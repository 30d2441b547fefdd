"""Checkpoints: a state comes back bit for bit, whole or not at all."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manyseeds.execution.checkpoint import load_state, save_state
from manyseeds.execution.diagnostics import Diagnosis
from manyseeds.execution.state import EpochCurves, Seconds, State

ODD = np.array([[0.1, -0.0, np.nan, np.inf, -np.inf, 5e-324]])


def state(dtype=np.float32):
    curves = tuple(
        EpochCurves(phase, epoch, {"rate": ODD[0, :2], "valid_loss": np.array([np.nan, epoch])})
        for phase, epoch in (("pretrain", 1), ("ünïcode phase", 2))
    )
    return State(
        phases=2,
        weights={"hidden1/kernel": ODD.astype(dtype), "hidden1/bias": np.zeros((1, 0), dtype)},
        source={"output/kernel": ODD.astype(dtype) * 3},
        epochs_on_task={"a": 20, "b": 4},
        steps_of_network={"net": 7},
        curves=curves,
        diagnoses=(
            Diagnosis("pretrain", 1, None, "hidden1", "dead", ODD[0, :2]),
            Diagnosis("ünïcode phase", 2, 17, "", "loss", ODD[0, 2:4]),
        ),
        diverged=("", "loss not finite from epoch 1, phase 'a' on"),
        best_epoch=np.array([3, 0]),
        seconds=Seconds(0.1, 1 / 3),
    )


def bits(array):
    return array.dtype, array.shape, array.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_state_comes_back_bit_for_bit(tmp_path, dtype):
    before = state(dtype)
    save_state(tmp_path / "state.npz", before)
    after = load_state(tmp_path / "state.npz")
    for field in ("weights", "source"):
        ours, theirs = getattr(before, field), getattr(after, field)
        assert list(ours) == list(theirs)
        assert all(bits(ours[name]) == bits(theirs[name]) for name in ours)
    for field in ("phases", "epochs_on_task", "steps_of_network", "diverged", "seconds"):
        assert getattr(before, field) == getattr(after, field)
    assert bits(before.best_epoch) == bits(after.best_epoch)
    for ours, theirs in zip(before.diagnoses, after.diagnoses, strict=True):
        assert replace(theirs, values=ours.values) == ours
        assert bits(ours.values) == bits(theirs.values)
    assert [(c.phase, c.epoch) for c in before.curves] == [(c.phase, c.epoch) for c in after.curves]
    for ours, theirs in zip(before.curves, after.curves, strict=True):
        assert {n: bits(v) for n, v in ours.values.items()} == {
            n: bits(v) for n, v in theirs.values.items()
        }


def test_the_state_before_the_first_phase_comes_back(tmp_path):
    save_state(tmp_path / "state.npz", State.start(3))
    after = load_state(tmp_path / "state.npz")
    assert after.weights == after.source == {}
    assert after.curves == after.diagnoses == ()
    assert after.diverged == ("", "", "")


def test_a_checkpoint_holds_no_pickle(tmp_path):
    save_state(tmp_path / "state.npz", state())
    with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(self, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        save_state(tmp_path / "state.npz", state())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keep", [0, 100, -40])
def test_a_damaged_checkpoint_is_as_none(tmp_path, keep):
    path = tmp_path / "state.npz"
    save_state(path, state())
    path.write_bytes(path.read_bytes()[:keep])
    assert load_state(path) is None


def test_a_checkpoint_that_is_not_there_is_none(tmp_path):
    assert load_state(tmp_path / "state.npz") is None
