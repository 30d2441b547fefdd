"""The runs of a results folder, also one that is shared with colleagues."""

import warnings

import pytest

from manyseeds.errors import Notice, RequestError, RunError
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.runs import chosen_ledgers, ledgers, open_run
from tests.ledger.small_run import append, plan


@pytest.fixture
def shared(ordinary):
    """A results folder with two runs."""
    for name in ("mine", "theirs"):
        append(Ledger.create(ordinary, plan(run=name)), 0)
    return ordinary


def read_all(name, results):
    run = open_run(name, results)
    return run.records(), run.curves()


PLACES = ["", "plan.json", "records", "records/00000-01.parquet", "curves"]


@pytest.mark.parametrize("place", PLACES)
def test_a_run_that_may_not_be_read_is_left_out_and_said(shared, place):
    (shared / "theirs" / place).chmod(0)
    with pytest.warns(Notice, match=r"run 'theirs' is left out: .*Permission denied") as notices:
        found = ledgers(shared)
    assert [run.folder.name for run in found] == ["mine"]
    assert len(notices) == 1
    assert "Ask its owner for permission" in str(notices[0].message)


@pytest.mark.parametrize("place", PLACES)
def test_a_run_by_name_that_may_not_be_read_is_an_error_not_missing_rows(shared, place):
    (shared / "theirs" / place).chmod(0)
    with pytest.raises(
        RunError, match=r"cannot read .*Permission denied. Ask its owner"
    ) as refused:
        read_all("theirs", shared)
    assert "damaged" not in str(refused.value)


def test_a_results_folder_that_may_not_be_read_is_an_error_not_an_empty_one(shared):
    shared.chmod(0o300)
    with pytest.raises(RunError, match=r"cannot read .*Permission denied"):
        chosen_ledgers((), shared)


def test_runs_that_may_be_read_give_no_notice(shared):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(ledgers(shared)) == 2


def test_a_folder_in_the_place_of_a_plan_is_no_run(tmp_path):
    (tmp_path / "x" / "plan.json").mkdir(parents=True)
    with pytest.raises(RequestError, match=r"unknown run 'x'. Known: none"):
        open_run("x", tmp_path)
