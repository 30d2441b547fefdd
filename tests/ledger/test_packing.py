"""Packing: one file of each kind has the same tables, and an interruption loses nothing."""

import shutil
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from manyseeds.errors import RequestError, RunError
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.packing import pack
from manyseeds.ledger.runs import ledgers
from tests.ledger.small_run import append, files, plan


@pytest.fixture
def whole(tmp_path):
    """A run with every row delivered, one of them at the second attempt."""
    run = Ledger.create(tmp_path, plan(jobs=3))
    append(run, 2)
    append(run, 0, status="failed", reason="killed")
    append(run, 1)
    append(run, 0, attempt=2)
    return run


def tables(folder):
    ledger = Ledger.open(folder)
    return {
        "records": ledger.records(),
        "delivered": ledger.delivered(),
        "curves": ledger.curves(),
        "diagnostics": ledger.diagnostics(),
    }


def assert_same(found, expected):
    for name, frame in expected.items():
        assert_frame_equal(found[name], frame, check_exact=True)


def test_a_packed_run_has_one_file_of_each_kind_and_the_same_tables(whole):
    before = tables(whole.folder)
    assert pack(whole) == (12, 3)
    packed = {name for name in files(whole) if name.endswith(".parquet")}
    assert packed == {"records.parquet", "curves.parquet", "diagnostics.parquet"}
    assert_same(tables(whole.folder), before)
    # The ledger that read the files before packing gives the same.
    assert_frame_equal(whole.records(), before["records"], check_exact=True)


def test_packing_again_changes_nothing(whole):
    pack(whole)
    content = (whole.folder / "records.parquet").read_bytes()
    assert pack(whole) == (3, 3)
    assert (whole.folder / "records.parquet").read_bytes() == content


def test_a_kind_without_rows_gets_no_file(tmp_path):
    run = Ledger.create(tmp_path, plan(jobs=1))
    run.append(0, [dict(row) for row in _records(run)])
    pack(run)
    assert not (run.folder / "curves.parquet").exists()
    assert run.curves().empty
    assert run.records()["status"].tolist() == ["ok"] * 2


def _records(run):
    for row in run.plan.jobs[0].rows():
        own = {"suite": "tiny", "job": 0, "attempt": 1, "status": "ok", "lanes": 2}
        yield row._asdict() | own | {"test_loss": 0.5, "recipe_sha256": "ab" * 32}


@pytest.mark.parametrize("status", ["failed", "timed_out"])
def test_a_run_with_rows_left_to_train_is_refused_and_untouched(tmp_path, status):
    run = Ledger.create(tmp_path, plan())
    append(run, 0, status=status, reason="?")
    before = files(run)
    with pytest.raises(
        RequestError, match=rf"2 {status}.*2 missing|2 missing.*2 {status}"
    ) as caught:
        pack(run)
    assert f"manyseeds run --resume {run.folder.name}" in str(caught.value)
    assert [name for name in files(run) if name != ".lock"] == before


def test_after_an_interruption_every_row_is_read_and_packing_again_completes(
    whole, tmp_path, monkeypatch
):
    before = tables(whole.folder)
    for cut in range(100):
        folder = shutil.copytree(whole.folder, tmp_path / f"cut-{cut}")
        left = [cut]

        def crashing(original, left=left):
            def operation(self, *arguments, **options):
                if left[0] == 0:
                    raise KeyboardInterrupt  # not caught by `except OSError`, like a power cut
                left[0] -= 1
                return original(self, *arguments, **options)

            return operation

        with monkeypatch.context() as patch:
            for name in ("replace", "unlink", "rmdir"):
                patch.setattr(Path, name, crashing(getattr(Path, name)))
            try:
                pack(Ledger.open(folder))
                break
            except KeyboardInterrupt:
                pass
        assert_same(tables(folder), before)
        pack(Ledger.open(folder))
        assert_same(tables(folder), before)
        assert len([name for name in files(Ledger(folder)) if name.endswith(".parquet")]) == 3
    assert cut > 15


def test_a_damaged_file_stops_packing_and_nothing_is_removed(whole):
    path = whole.folder / "curves" / "00001-01.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)
    before = [name for name in files(whole) if name.startswith(("curves/", "records/"))]
    with pytest.raises(RunError, match=r"00001-01\.parquet is damaged"):
        pack(whole)
    assert [name for name in files(whole) if name.startswith(("curves/", "records/"))] == before


def test_the_error_for_a_damaged_packed_file_has_a_remedy(whole):
    pack(whole)
    path = whole.folder / "records.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RunError, match=r"records\.parquet is damaged.*Restore it"):
        Ledger.open(whole.folder).records()


def test_a_failed_write_is_an_error_and_leaves_the_run_as_it_was(whole, monkeypatch):
    before = tables(whole.folder)

    def full(self, target):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(RunError, match=r"cannot pack .* No space left on device"):
            pack(whole)
    assert_same(tables(whole.folder), before)


def test_the_command_packs_and_a_resume_finds_nothing_to_train(tiny, command, tmp_path):
    results = tmp_path / "results"
    assert command("run", tiny(), "--backend", "numpy", "--results", results).status == 0
    (ledger,) = ledgers(results)
    before = tables(ledger.folder)
    answer = command("pack", ledger.folder.name, "--results", results)
    assert answer.status == 0, answer.err
    assert_same(tables(ledger.folder), before)
    again = command("run", "--resume", ledger.folder.name, "--results", results)
    assert again.status == 0, again.err
    assert_same(tables(ledger.folder), before)
