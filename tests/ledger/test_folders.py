"""A run's folder against the system: its errors are no damage, and no link is followed."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from manyseeds.errors import RunError
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.packing import pack
from manyseeds.ledger.runs import ledgers
from tests.ledger.small_run import append, plan, rows


@pytest.fixture
def run(tmp_path):
    """A run of two jobs, both delivered."""
    run = Ledger.create(tmp_path / "results", plan())
    append(run, 0)
    append(run, 1)
    return run


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO, errno.ENOMEM])
def test_an_error_of_the_system_is_not_called_damage(run, monkeypatch, number):
    def fail(self, *_arguments, **_options):
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(RunError, match=os.strerror(number)) as refused:
        run.records()
    assert "00000-01.parquet" in str(refused.value)
    assert "damaged" not in str(refused.value)
    assert "leave it where it is" in str(refused.value)


def test_a_folder_that_cannot_be_listed_does_not_count_as_empty(run, monkeypatch):
    def fail(path="."):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))

    monkeypatch.setattr(os, "listdir", fail)
    for read in (run.records, run.delivered, run.attempts, lambda: Ledger.open(run.folder)):
        with pytest.raises(RunError, match="Too many open files"):
            read()


def test_records_are_read_where_no_more_threads_can_start(tmp_path, monkeypatch):
    run = Ledger.create(tmp_path, plan(jobs=20))
    for number in range(20):
        append(run, number, test_accuracy=0.5)

    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refuse)
    assert run.records()["status"].tolist() == ["ok"] * 40


def test_a_record_is_never_replaced(run):
    before = {path: path.read_bytes() for path in run.folder.rglob("*.parquet")}
    with pytest.raises(RunError, match=r"00000-01\.parquet exists already, and a record is never"):
        append(run, 0, test_accuracy=0.5)
    assert {path: path.read_bytes() for path in run.folder.rglob("*.parquet")} == before


def test_a_packed_run_takes_no_records(run):
    pack(run)
    with pytest.raises(RunError, match=r"records\.parquet exists already"):
        append(run, 0, attempt=2)
    assert not (run.folder / "records").exists()


def test_an_attempt_has_a_number_that_nothing_in_the_folder_has(run):
    assert run.attempts() == {0: 1, 1: 1}
    record = run.folder / "records" / "00001-01.parquet"
    record.rename(record.with_name("00001-01.parquet.damaged"))  # its curves are still there
    assert run.attempts() == {0: 1, 1: 1}
    run.append(1, rows(run.plan.jobs[1], attempt=2))
    assert run.attempts() == {0: 1, 1: 2}
    assert run.records()["attempt"].tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize(
    "name", ["plan.json", "provenance.json", "records/00000-01.parquet", "curves", "records"]
)
def test_no_link_is_read_out_of_the_runs_folder(run, tmp_path, name):
    run.write_provenance([])
    path, target = run.folder / name, tmp_path / "elsewhere"
    path.rename(target)
    path.symlink_to(target)
    with pytest.raises(RunError, match=f"{path} is a link to '{target}'"):
        read_all(run.folder)


def read_all(folder):
    run = Ledger.open(folder)
    return run.records(), run.curves(), run.diagnostics(), run.provenance


@pytest.mark.parametrize("name", ["plan.json", "provenance.json", "records/00000-01.parquet"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(run, name):
    path = run.folder / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(RunError, match=f"{path} is no regular file"):
        read_all(run.folder)
    if name == "plan.json":
        assert ledgers(run.folder.parent) == []
    elif name == "provenance.json":
        assert len(ledgers(run.folder.parent)) == 1


@pytest.mark.parametrize("kind", ["records", "curves", "diagnostics"])
def test_nothing_is_written_through_a_link(tmp_path, kind):
    run = Ledger.create(tmp_path / "results", plan())
    elsewhere = tmp_path / "elsewhere"
    (run.folder / kind).rename(elsewhere)
    (run.folder / kind).symlink_to(elsewhere)
    with pytest.raises(RunError, match="is a link to"):
        append(run, 0)
    assert os.listdir(elsewhere) == []


def test_a_lock_that_is_a_link_empties_no_file(run, tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (run.folder / ".lock").symlink_to(mine)
    with pytest.raises(RunError, match="is a link to"), run.writing():
        pass
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("name", ["checkpoints", "logs"])
def test_a_run_neither_trains_nor_clears_through_a_link(tiny, manyseeds, tmp_path, name):
    results, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    suite = tiny()
    assert manyseeds("run", suite, "--backend", "numpy", "--results", results).status == 0
    (run,) = ledgers(results)
    elsewhere.mkdir()
    (elsewhere / f"{'ab' * 16}.npz").write_bytes(b"mine")
    shutil.rmtree(run.folder / name)
    (run.folder / name).symlink_to(elsewhere)
    next((run.folder / "records").iterdir()).unlink()
    answer = manyseeds("run", "--resume", run.folder.name, "--results", results)
    assert answer.status == 1
    assert "is a link to" in answer.err
    assert "Traceback" not in answer.err
    assert [path.name for path in elsewhere.iterdir()] == [f"{'ab' * 16}.npz"]


def test_only_checkpoints_are_cleared_after_a_run(tiny, manyseeds, tmp_path):
    results = tmp_path / "results"
    assert manyseeds("run", tiny(), "--backend", "numpy", "--results", results).status == 0
    (run,) = ledgers(results)
    for name in (f"{'ab' * 16}.npz", "mine.npz"):
        (run.folder / "checkpoints" / name).write_bytes(b"")
    assert manyseeds("run", "--resume", run.folder.name, "--results", results).status == 0
    assert os.listdir(run.folder / "checkpoints") == ["mine.npz"]
