"""Choosing runs: by name, by folder, by suite, by the start of a name; ambiguity is refused."""

import re

import pytest

from manyseeds.errors import RequestError
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.runs import chosen_ledgers, open_run
from tests.ledger.small_run import plan

RUNS = {"transfer-1": "transfer", "transfer-quick-2": "transfer", "clipping-3": "clipping"}


@pytest.fixture
def results(tmp_path):
    for run, suite in RUNS.items():
        Ledger.create(tmp_path, plan(run=run).model_copy(update={"suite": suite}))
    return tmp_path


def names(ledgers):
    return [ledger.folder.name for ledger in ledgers]


def test_a_suites_name_stands_for_all_of_its_runs(results):
    assert names(chosen_ledgers(["transfer"], results)) == ["transfer-1", "transfer-quick-2"]
    assert names(chosen_ledgers(["clipping"], results)) == ["clipping-3"]


def test_a_runs_name_its_folder_and_the_start_of_its_name_choose_it(results):
    for name in ("transfer-quick-2", str(results / "transfer-quick-2"), "transfer-quick"):
        assert names(chosen_ledgers([name], results)) == ["transfer-quick-2"]


def test_the_start_of_several_runs_is_refused_with_the_list(results):
    with pytest.raises(RequestError, match=re.escape("(transfer-1, transfer-quick-2)")):
        chosen_ledgers(["transfer-"], results)


def test_an_unknown_name_is_refused_with_the_nearest_suite_or_run(results):
    with pytest.raises(RequestError, match="Did you mean 'clipping'"):
        chosen_ledgers(["cliping"], results)
    with pytest.raises(RequestError, match="unknown run or suite ''"):
        chosen_ledgers([""], results)


def test_a_run_that_two_names_choose_counts_once(results):
    chosen = chosen_ledgers(["transfer-1", "transfer", str(results / "transfer-1")], results)
    assert names(chosen) == ["transfer-1", "transfer-quick-2"]


def test_all_runs_are_chosen_if_none_is_named(results, tmp_path):
    assert names(chosen_ledgers([], results)) == sorted(RUNS)
    with pytest.raises(RequestError, match="has no runs"):
        chosen_ledgers([], tmp_path / "clipping-3")


def test_a_single_run_is_opened_by_its_whole_name_only(results):
    assert open_run("clipping-3", results).folder.name == "clipping-3"
    with pytest.raises(RequestError, match="Did you mean 'clipping-3'"):
        open_run("clipping", results)
