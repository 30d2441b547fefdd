"""Checkpoints: a state comes back bit for bit, whole or not at all."""

import errno
import hashlib
import os
import tracemalloc
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest

from manyseeds.execution.checkpoint import CheckpointError, Expected, load_state, save_state
from manyseeds.execution.diagnostics import Diagnosis
from manyseeds.execution.state import EpochCurves, Seconds, State

ODD = np.array([[0.1, -0.0, np.nan, np.inf, -np.inf, 5e-324]])


def state(dtype=np.float32):
    curves = tuple(
        EpochCurves(phase, epoch, {"rate": ODD[0, :1], "valid_loss": np.array([np.nan])})
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
            Diagnosis("pretrain", 1, None, "hidden1", "dead", ODD[0, :1]),
            Diagnosis("ünïcode phase", 2, 17, "", "loss", ODD[0, 2:3]),
        ),
        diverged=("loss not finite from epoch 1, phase 'a' on",),
        best_epoch=np.array([3]),
        seconds=Seconds(0.1, 1 / 3),
    )


EXPECTED = Expected(
    lanes=1,
    phases=2,
    weights={"hidden1/kernel": (6,), "hidden1/bias": (0,)},
    source={"output/kernel": (6,)},
)


def bits(array):
    return array.dtype, array.shape, array.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_state_comes_back_bit_for_bit(tmp_path, dtype):
    before = state(dtype)
    save_state(tmp_path / "state.npz", before)
    after = load_state(tmp_path / "state.npz", EXPECTED)
    for field in ("weights", "source"):
        ours, theirs = getattr(before, field), getattr(after, field)
        assert list(ours) == list(theirs)
        assert all(bits(ours[name]) == bits(theirs[name]) for name in ours)
    for field in ("phases", "epochs_on_task", "steps_of_network", "diverged", "seconds"):
        assert getattr(before, field) == getattr(after, field)
    assert bits(before.best_epoch) == bits(after.best_epoch)
    for ours, theirs in zip(before.diagnoses, after.diagnoses, strict=True):
        assert replace(theirs, values=None) == replace(ours, values=None)
        assert bits(ours.values) == bits(theirs.values)
    assert [(c.phase, c.epoch) for c in before.curves] == [(c.phase, c.epoch) for c in after.curves]
    for ours, theirs in zip(before.curves, after.curves, strict=True):
        assert {n: bits(v) for n, v in ours.values.items()} == {
            n: bits(v) for n, v in theirs.values.items()
        }


def test_the_state_before_the_first_phase_comes_back(tmp_path):
    save_state(tmp_path / "state.npz", State.start(3))
    after = load_state(tmp_path / "state.npz", Expected(3, 0, {}, {}))
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


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "state.npz"
    save_state(path, state())
    return path


def rewritten(path, change):
    """Change the members of an archive, and give it the checksum of its new content."""
    with ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content, options = BytesIO(), change(members) or {}
    with ZipFile(content, "w", **options) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
        archive.comment = b"0" * 64
    archived = content.getvalue()[:-64]
    checksum = hashlib.sha256(path.name.encode() + archived).hexdigest().encode()
    path.write_bytes(archived + checksum)


def npy(values):
    content = BytesIO()
    np.save(content, values)
    return content.getvalue()


@pytest.mark.parametrize("keep", [0, 100, -40])
def test_a_checkpoint_that_was_cut_short_is_not_used(saved, keep):
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="does not match its checksum"):
        load_state(saved, EXPECTED)


def test_no_flipped_bit_of_a_checkpoint_goes_unnoticed(saved):
    content = saved.read_bytes()
    for place in range(0, len(content), 37):
        saved.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(CheckpointError):
            load_state(saved, EXPECTED)


def test_a_checkpoint_under_the_name_of_another_is_not_used(saved):
    other = saved.rename(saved.with_name("other.npz"))
    with pytest.raises(CheckpointError, match="does not match its checksum"):
        load_state(other, EXPECTED)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("lanes", 2, "weights of other shapes"),
        ("phases", 1, "2 phases, where 1 were expected"),
        ("weights", {"hidden1/kernel": (7,), "hidden1/bias": (0,)}, "weights of other shapes"),
        ("source", {}, "source of other shapes"),
    ],
)
def test_a_checkpoint_of_another_training_is_not_used(saved, field, value, problem):
    with pytest.raises(CheckpointError, match=f"is of another training: {problem}"):
        load_state(saved, replace(EXPECTED, **{field: value}))


def test_a_checkpoint_takes_no_more_memory_than_its_file(saved):
    def packed(members):
        members["weights/hidden1/kernel.npy"] = npy(np.zeros((1, 50_000_000), np.uint8))
        return {"compression": ZIP_DEFLATED}

    rewritten(saved, packed)
    assert saved.stat().st_size < 200_000
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="its arrays are compressed"):
        load_state(saved, EXPECTED)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_an_array_is_as_large_as_its_header_says(saved):
    def promising(members):
        small = npy(np.zeros((1, 6), np.float32))
        members["weights/hidden1/kernel.npy"] = small.replace(
            b"(1, 6), }        ", b"(1, 600000000), }"
        )

    rewritten(saved, promising)
    with pytest.raises(CheckpointError, match="another size than its header says"):
        load_state(saved, EXPECTED)


def test_a_file_without_the_facts_is_no_checkpoint(saved):
    rewritten(saved, lambda members: members.pop("facts.npy") and None)
    with pytest.raises(CheckpointError, match="is no checkpoint: KeyError"):
        load_state(saved, EXPECTED)


def test_a_checkpoint_larger_than_it_can_be_is_not_read(saved):
    os.truncate(saved, EXPECTED.most_bytes() + 1)  # sparse: it takes no room
    with pytest.raises(CheckpointError, match=f"such a file has {EXPECTED.most_bytes():,} at most"):
        load_state(saved, EXPECTED)


def test_a_link_in_the_place_of_a_checkpoint_is_not_followed(saved):
    target = saved.rename(saved.with_name("elsewhere"))
    saved.symlink_to(target)
    with pytest.raises(CheckpointError, match="is a link to"):
        load_state(saved, EXPECTED)


def test_a_checkpoint_that_is_not_there_is_none(tmp_path):
    assert load_state(tmp_path / "state.npz", EXPECTED) is None
