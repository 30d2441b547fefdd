"""A run's folder: only the files that the plan names are read, and the rest is said."""

import shutil
import warnings

import pytest

from manyseeds.errors import Notice, RequestError, RunError
from manyseeds.ledger.contents import job_files, stray_warning, strays
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.runs import chosen_ledgers, ledgers
from tests.ledger.small_run import append, plan


@pytest.fixture
def run(tmp_path):
    """A run of two jobs, both delivered."""
    run = Ledger.create(tmp_path / "results", plan())
    append(run, 0)
    append(run, 1)
    return run


@pytest.mark.parametrize(
    "name",
    [
        "00000-01 (1).parquet",
        "00000-01 (conflicted copy 2026-01-01).parquet",
        "00000-01.sync-conflict-20260101-120000-ABCDEFG.parquet",
        "Copy of 00000-01.parquet",
        "._00000-01.parquet",
        "00000-01.parquet.part",
        "00000-01.parquet.crdownload",
        "00000-01.parquet~",
        "0-1.parquet",
        "000000-01.parquet",
        "00000-00.parquet",
        "00002-01.parquet",  # the plan has two jobs
        "records.parquet",
    ],
)
def test_a_file_that_the_plan_does_not_name_is_not_read_but_said(run, name):
    right = run.records(), run.curves()
    for kind in ("records", "curves"):
        shutil.copy(run.folder / kind / "00000-01.parquet", run.folder / kind / name)
    with pytest.warns(Notice, match="not read, because the run's plan does not name it") as said:
        again = Ledger.open(run.folder)
    assert f"records/{name}, curves/{name}" in str(said[0].message)
    assert again.records().equals(right[0])
    assert again.curves().equals(right[1])
    assert again.attempts() == {0: 1, 1: 1}


def test_many_strange_files_are_said_in_one_line(run):
    for number in range(50):
        (run.folder / f"notes {number:02}.txt").write_text("mine")
    (line,) = [stray_warning(run.folder, strays(run.folder, range(2)))]
    assert line.endswith(": notes 00.txt, notes 01.txt, notes 02.txt and 47 more")
    assert "\n" not in line


def test_a_runs_own_files_are_no_strange_ones(run):
    run.write_provenance([])
    run.own_folder("logs")
    with run.writing():
        (run.folder / "records" / ".00000-02.parquet.4711").write_bytes(b"PAR1")  # a power cut
        (run.folder / ".plan.json.4711").write_bytes(b"{")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(Ledger.open(run.folder).records()) == 4


def test_the_files_of_jobs_are_in_the_order_of_jobs_and_attempts(run):
    for attempt in (2, 100, 10):
        shutil.copy(
            run.folder / "records" / "00000-01.parquet",
            run.folder / "records" / f"00000-{attempt:02}.parquet",
        )
    found = [file[:2] for file in job_files(run.folder, "records", range(2))]
    assert found == [(0, 1), (0, 2), (0, 10), (0, 100), (1, 1)]


def test_two_folders_of_one_run_are_refused_and_both_named(run):
    results = run.folder.parent
    shutil.copytree(run.folder, results / "tiny-1 - Copy")
    with pytest.raises(RequestError, match="are two folders of one run, 'tiny-1'") as refused:
        ledgers(results)
    assert f"{run.folder} and {results / 'tiny-1 - Copy'}" in str(refused.value)
    with pytest.raises(RequestError, match="two folders of one run"):
        chosen_ledgers(["tiny-1", "tiny-1 - Copy"], results)
    (chosen,) = chosen_ledgers(["tiny-1 - Copy"], results)
    assert len(chosen.records()) == 4


def test_a_run_that_is_named_twice_or_linked_counts_once(run):
    results = run.folder.parent
    (results / "latest").symlink_to(run.folder)
    assert len(ledgers(results)) == 1
    assert len(chosen_ledgers(["tiny-1", "latest", str(run.folder)], results)) == 1


def test_the_error_for_a_damaged_run_says_how_to_leave_it_out(run):
    results = run.folder.parent
    for name in ("a", "b b"):
        Ledger.create(results, plan(run=name))
    (run.folder / "plan.json").write_text("{")
    with pytest.raises(RunError, match=r"plan\.json is damaged.*name the others: a 'b b'$"):
        ledgers(results)
    assert len(chosen_ledgers(["a", "b b"], results)) == 2
