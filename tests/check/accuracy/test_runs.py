"""Entries of the accuracy layer made from ledgers, and comparisons of runs."""

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest

from manyseeds.check.accuracy.comparison import compare, compare_runs
from manyseeds.check.accuracy.entries import entries_from, entries_of, least_effects, suite_file
from manyseeds.check.baseline import Baseline
from manyseeds.errors import RequestError
from manyseeds.ledger.schemas import RECORD_SCHEMA
from manyseeds.statistics.summary import STATUSES
from manyseeds.suite.files import read_suite
from manyseeds.suite.reader import parse_suite
from tests.report import synthetic
from tests.report.synthetic import SMALL, World

pytestmark = pytest.mark.filterwarnings("error")

OK, DIVERGED = STATUSES.index("ok"), STATUSES.index("diverged")


def small(**change):
    return World(text=SMALL, curves=False, backends=("pytorch", "jax"), **change)


def test_a_run_makes_an_entry_of_every_recipe_and_backend(tmp_path):
    ledger = synthetic.write(tmp_path, small())
    entries = entries_of(ledger)
    rows = [f"accuracy/{b}/small/{r}" for b in ("pytorch", "jax") for r in ("scratch", "one_rate")]
    assert sorted(str(one.row) for one in entries) == sorted(rows)
    one = next(one for one in entries if str(one.row) == "accuracy/pytorch/small/scratch")
    records = ledger.records()
    mine = records[
        (records["recipe"] == "scratch")
        & (records["backend"] == "pytorch")
        & (records["mode"] == "cohort")
    ]
    np.testing.assert_array_equal(one.arrays["test_accuracy"], mine["test_accuracy"])
    np.testing.assert_array_equal(one.arrays["seeds"], np.arange(12))
    assert not one.arrays["status"].any()
    assert one.versions["torch"] == "2.9.0"
    assert (one.context["threads"], one.context["lanes"]) == (2, 6)
    assert one.context["machine"] == "An Example CPU"
    assert one.context["least_effects"] == {"test_accuracy": 0.01}
    assert "mc_accuracy" not in one.arrays


def test_cases_have_entries_of_their_own(tmp_path):
    text = SMALL.replace('name = "small"', 'name = "small"\npairs = [[5, 6], [0, 1]]')
    text = text.replace("classes = [5, 6]", 'classes = "pair"')
    ledger = synthetic.write(tmp_path, dataclasses.replace(small(), text=text, backends=("jax",)))
    subjects = [one.subject for one in entries_of(ledger)]
    assert subjects[:2] == ["small/scratch/5-6", "small/scratch/0-1"]


def test_entries_survive_the_baseline(tmp_path):
    ledger = synthetic.write(tmp_path, small())
    Baseline(tmp_path / "check").accept(entries_of(ledger), "the first")
    baseline = Baseline(tmp_path / "check")
    result = compare(entries_of(ledger), baseline.entry, promised=baseline.rows("accuracy"))
    assert {finding.state for finding in result.findings} == {"unchanged"}
    assert {finding.message for finding in result.findings} == {"identical in all 12 seeds"}


def test_a_diverged_seed_counts_as_guessing(tmp_path):
    def change(key):
        gone = {"status": "diverged", "reason": "loss is NaN", "test_accuracy": None}
        return gone if key.seed == 4 else {}

    (one, *_) = entries_of(synthetic.write(tmp_path, small(change=change)))
    assert one.arrays["status"].tolist() == [OK] * 4 + [DIVERGED] + [OK] * 7
    assert one.arrays["test_accuracy"][4] == 0.5  # of two classes


def test_a_row_without_a_record_is_missing(tmp_path):
    ledger = synthetic.write(tmp_path, small(change=lambda key: None if key.seed == 3 else {}))
    result = compare(entries_of(ledger), lambda row: None)
    assert {finding.state for finding in result.findings} == {"missing"}
    assert all("of 12 seeds 1 missing" in finding.message for finding in result.findings)


def test_two_runs_of_a_suite_are_compared(tmp_path):
    left = synthetic.write(tmp_path, small(run="left"))
    worse = small(run="right", change=lambda key: {"test_accuracy": synthetic.accuracy(key) - 0.1})
    right = synthetic.write(tmp_path, worse)
    changed = [f for f in compare_runs(left, right).findings if f.subject.endswith("accuracy")]
    assert {(f.state, f.direction) for f in changed} == {("changed", "worse")}
    assert {f.state for f in compare_runs(left, left).findings} == {"unchanged"}


def test_runs_with_fewer_seeds_are_paired_by_those_they_share(tmp_path):
    left = synthetic.write(tmp_path, small(run="left"))
    fewer = dataclasses.replace(small(run="right"), text=SMALL.replace("seeds = 12", "seeds = 6"))
    right = synthetic.write(tmp_path, fewer)
    result = compare_runs(left, right)
    assert {f.message for f in result.findings} == {"identical in all 6 seeds, 6 not on both sides"}
    assert any("suite's text was edited" in note for note in result.notes)


def test_runs_of_another_recipe_are_not_comparable(tmp_path):
    left = synthetic.write(tmp_path, small(run="left"))
    other = SMALL.replace("rate = 1e-3", "rate = 3e-3")
    right = synthetic.write(tmp_path, dataclasses.replace(small(run="right"), text=other))
    by_subject = {f.subject: f for f in compare_runs(left, right).findings}
    assert by_subject["small/scratch"].state == "not comparable"
    message = by_subject["small/scratch"].message
    assert message.startswith("left and right answer different questions: ")
    assert "phases.0.rate 0.001 → 0.003" in message


def test_a_row_that_only_one_run_has_is_named_with_the_run(tmp_path):
    left = synthetic.write(tmp_path, small(run="left"))
    renamed = SMALL.replace('"scratch"', '"anew"')
    right = synthetic.write(tmp_path, dataclasses.replace(small(run="right"), text=renamed))
    messages = {f.message for f in compare_runs(left, right).findings if f.state == "missing"}
    assert messages == {
        "left has this row, right does not",
        "right has this row, left does not",
    }


def test_runs_of_other_suites_are_refused(tmp_path):
    left = synthetic.write(tmp_path, small(run="left"))
    other = dataclasses.replace(small(run="right"), text=SMALL.replace('"small"', '"other"'))
    with pytest.raises(RequestError, match="two runs of the same suite"):
        compare_runs(left, synthetic.write(tmp_path, other))


def test_empty_records_have_no_entries():
    suite = parse_suite(SMALL, "small.toml")
    empty = pd.DataFrame({name: [] for name in RECORD_SCHEMA.names})
    assert entries_from(empty, suite, {}) == []


def test_the_least_effect_is_the_smallest_of_a_suites_claims():
    assert least_effects(read_suite("optimizers").suite) == {"test_accuracy": 0.0025}
    assert least_effects(read_suite("mc_dropout").suite) == {
        "test_accuracy": 0.005,
        "mc_accuracy": 0.001,
        "mc_loss": 0.005,
        "mc_ece": 0.005,
    }


def test_the_context_of_an_entry_is_json(tmp_path):
    for one in entries_of(synthetic.write(tmp_path, small())):
        assert json.loads(json.dumps(one.context, allow_nan=False)) == one.context


def test_the_gates_suite_states_its_least_effects():
    suite = read_suite(str(suite_file())).suite
    assert suite.seeds == suite.lanes == 30
    assert suite.solo == 0
    assert least_effects(suite).keys() == {"test_accuracy", "test_loss"}
    assert all(0 < effect < math.inf for effect in least_effects(suite).values())
