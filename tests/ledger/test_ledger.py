"""The ledger: files are complete or absent, no promised row is lost, no damage goes unnoticed."""

import errno
import json
import os
import shutil
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from manyseeds.errors import RequestError, RunError
from manyseeds.ledger import parquet
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.runs import ledgers
from manyseeds.ledger.schemas import DIAGNOSTICS_SCHEMA, RECORD_SCHEMA, ROW_KEY
from manyseeds.model import digest_text
from tests.ledger.small_run import TEXT, append, diagnostics, files, plan, rows


@pytest.fixture
def run(tmp_path):
    return Ledger.create(tmp_path, plan())


def test_a_plan_survives_a_round_trip(run):
    assert Ledger.open(run.folder).plan == plan()
    assert json.loads((run.folder / "plan.json").read_text())["suite_sha256"] == digest_text(TEXT)


def test_every_promised_row_without_a_record_is_missing(run):
    assert run.records()["status"].tolist() == ["missing"] * 4
    append(run, 1)
    records = run.records()
    assert records["status"].tolist() == ["missing", "missing", "ok", "ok"]
    assert records["seed"].tolist() == [0, 1, 2, 3]
    assert list(records.columns) == RECORD_SCHEMA.names


def test_numbers_survive_a_round_trip_bit_for_bit(run):
    append(run, 0)
    assert run.delivered()["test_accuracy"].tolist() == [0.1, 0.1 + 1 / 9]
    assert run.curves()["train_loss"].tolist() == [1 / 3, 1 / 3]


def test_the_last_attempt_counts_and_earlier_ones_stay_on_disk(run):
    append(run, 0, status="failed", reason="killed")
    append(run, 1)
    append(run, 0, attempt=2)
    records = run.records()
    assert records["status"].tolist() == ["ok"] * 4
    assert records["attempt"].tolist() == [2, 2, 1, 1]
    assert run.curves()["attempt"].tolist() == [1, 1, 2, 2] or sorted(run.curves()["attempt"]) == [
        1,
        1,
        2,
        2,
    ]
    assert "records/00000-01.parquet" in files(run)
    assert len(records) == len(records[ROW_KEY].drop_duplicates()) == 4


def test_diagnostics_are_those_of_the_last_attempt(run):
    assert run.diagnostics().empty
    assert list(run.diagnostics()) == DIAGNOSTICS_SCHEMA.names
    job = run.plan.jobs[0]
    for attempt, value in ((1, 0.5), (2, None)):
        run.append(0, rows(job, attempt), (), diagnostics(job, attempt, value))
    append(run, 1)
    found = run.diagnostics()
    assert found["attempt"].tolist() == [2, 2, 1, 1]
    assert found["value"].isna().tolist() == [True, True, False, False]
    assert found["value"].iloc[2] == 1 / 3
    assert found["step"].isna().all()
    assert set(found["layer"]) == {"hidden1"}


def test_an_older_run_without_diagnostics_can_be_read_and_resumed(run):
    append(run, 0)
    shutil.rmtree(run.folder / "diagnostics")
    old = Ledger.open(run.folder)
    assert old.diagnostics().empty
    append(old, 1)
    assert len(Ledger.open(run.folder).diagnostics()) == 2


def test_more_than_ten_attempts_are_in_order(run):
    for attempt in range(1, 12):
        append(run, 0, attempt=attempt, test_accuracy=attempt / 16)
    assert run.delivered()["test_accuracy"].tolist() == [11 / 16, 11 / 16]


def test_a_crash_before_the_rename_changes_nothing(run, monkeypatch):
    append(run, 0)
    before = run.records()

    def crash(*_):
        raise KeyboardInterrupt  # not caught by `except OSError`, like a power cut

    for owner, name in ((Path, "replace"), (os, "link")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, crash)
            with pytest.raises(KeyboardInterrupt):
                append(run, 1)
        assert run.records().equals(before)
    append(run, 1)
    assert run.records()["status"].tolist() == ["ok"] * 4


def test_a_crash_between_curves_and_records_leaves_the_rows_missing(run, monkeypatch):
    def crash(path, content):
        raise KeyboardInterrupt

    monkeypatch.setattr(parquet, "create_atomically", crash)
    with pytest.raises(KeyboardInterrupt):
        append(run, 0)
    monkeypatch.undo()
    assert run.records()["status"].tolist() == ["missing"] * 4
    assert run.curves().empty
    append(run, 0)
    assert len(run.curves()) == 2


def test_content_is_on_disk_before_its_name(run, monkeypatch):
    done = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append("flush"), fsync(handle))[1])
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (done.append("rename"), replace(self, to))[1]
    )
    run.write_provenance([{"a": 1}])
    assert done == ["flush", "rename", "flush"]  # the file, its name, the folder


def test_a_full_disk_is_an_error_and_loses_no_record(run, monkeypatch):
    append(run, 0)
    before = run.records()

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"No space left on device.*--resume tiny-1") as refused:
        append(run, 1)
    assert refused.value.exit_status == 1
    monkeypatch.undo()
    assert run.records().equals(before)
    assert not [name for name in files(run) if "/." in name]  # no temporary file is left


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB; skips the test if none can be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_really_full_disk_is_an_error_and_loses_no_record(small_disk):
    run = Ledger.create(small_disk, plan())
    append(run, 0)
    before = run.records()
    with pytest.raises(OSError, match="No space"), (small_disk / "filler").open("wb") as file:
        file.write(b"x" * 2**20)
    with pytest.raises(RunError, match=r"No space left on device.*--resume tiny-1"):
        append(run, 1)
    assert run.records().equals(before)
    (small_disk / "filler").unlink()
    append(run, 1)
    assert run.records()["status"].tolist() == ["ok"] * 4


@pytest.mark.parametrize("kind", ["records", "curves", "diagnostics"])
@pytest.mark.parametrize("damage", ["cut short", "emptied", "bits flipped", "something else"])
def test_a_damaged_file_is_an_error_for_every_kind(run, kind, damage):
    append(run, 0)
    path = run.folder / kind / "00000-01.parquet"
    content = bytearray(path.read_bytes())
    if damage == "cut short":
        content = content[: len(content) // 2]
    elif damage == "emptied":
        content = b""
    elif damage == "something else":
        content = b"a,b\n1,2\n"
    else:
        for place in range(4, 40):
            content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"00000-01\.parquet is damaged"):
        getattr(run, kind)()


def test_no_flipped_bit_goes_unnoticed(run):
    append(run, 0)
    path = run.folder / "records" / "00000-01.parquet"
    content, right = path.read_bytes(), run.records()
    metadata = pq.ParquetFile(path).metadata.row_group(0)
    column = metadata.column(RECORD_SCHEMA.names.index("test_accuracy"))
    start = column.dictionary_page_offset or column.data_page_offset
    numbers = range(start, start + column.total_compressed_size)
    silent = []
    for place in (*range(4, len(content) - 8, 199), *numbers):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            if not run.records().equals(right):
                silent.append(place)
        except RunError:
            continue
    assert silent == []


@pytest.mark.parametrize("content", ["", "{", '{"run": "tiny"}', '{"run": 3}', "[]", "\xff"])
def test_a_damaged_plan_is_an_error(run, content):
    (run.folder / "plan.json").write_text(content, encoding="latin-1")
    with pytest.raises(RunError, match=r"plan\.json is damaged"):
        Ledger.open(run.folder)


@pytest.mark.parametrize("content", ["", "[{", "{}", "\xff"])
def test_a_damaged_provenance_is_an_error(run, content):
    (run.folder / "provenance.json").write_text(content, encoding="latin-1")
    with pytest.raises(RunError, match=r"provenance\.json is damaged"):
        _ = run.provenance


def test_provenance_survives_a_round_trip(run):
    assert run.provenance == []
    run.write_provenance([{"b": 1, "a": [None, "x"]}])
    assert run.provenance == [{"a": [None, "x"], "b": 1}]


def test_a_folder_without_a_plan_is_no_run(tmp_path):
    with pytest.raises(RequestError, match=r"is not a run: it has no plan\.json"):
        Ledger.open(tmp_path)


def test_a_folder_named_like_a_partition_adds_no_column(tmp_path):
    run = Ledger.create(tmp_path / "rate=3", plan())
    append(run, 0)
    assert list(run.delivered().columns) == RECORD_SCHEMA.names


def test_two_runs_never_share_a_folder(run, tmp_path):
    with pytest.raises(RequestError, match="exists already: a run never writes into another"):
        Ledger.create(tmp_path, plan())


def test_a_second_writer_is_refused_and_the_first_goes_on(run):
    with run.writing():
        with (
            pytest.raises(RequestError, match="is being written by another process"),
            Ledger.open(run.folder).writing(),
        ):
            pass
        append(run, 0)
    with Ledger.open(run.folder).writing():
        append(run, 1)


def test_the_runs_of_a_folder_are_sorted_by_name(tmp_path):
    for name in ("b", "a"):
        Ledger.create(tmp_path, plan(run=name))
    (tmp_path / "not-a-run").mkdir()
    assert [found.folder.name for found in ledgers(tmp_path)] == ["a", "b"]
    assert ledgers(tmp_path / "nowhere") == []


def test_a_file_in_the_place_of_the_results_folder_is_an_error(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(RunError, match="cannot write to"):
        Ledger.create(tmp_path / "results", plan())
