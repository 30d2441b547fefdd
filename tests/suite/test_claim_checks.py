"""Claims that no result could show are refused; the metrics known beforehand are those recorded."""

from typing import get_args

import pytest
from pydantic import ValidationError

from manyseeds.ledger.ledger import Ledger
from manyseeds.statistics.scores import measured
from manyseeds.suite.claims import ClaimMetric, metric_range
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.recorded import recorded_metrics
from manyseeds.suite.suite import Suite
from tests.suite.tiny_suite import TINY, mistake

PAIR = 'treatment = "transfer"\nbaseline = "scratch"\nleast_effect = 0.01'


def claim(text):
    """Return the message about the tiny suite with this text for its claim's estimand."""
    return mistake((PAIR, text))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (PAIR.replace("transfer", "scratch"), "treatment and baseline are both 'scratch'"),
        (
            PAIR.replace("transfer", "scratch") + '\nbaseline_metric = "test_accuracy"',
            "treatment and baseline are both 'scratch'",
        ),
        (
            PAIR.replace("transfer", "scratch")
            + '\nestimand = "time_to_target"\ntarget = 0.5',
            "treatment and baseline are both 'scratch'",
        ),
        (PAIR + '\nmetric = "mc_accuracy"', "'transfer' does not record mc_accuracy: give the"),
        (PAIR + '\nbaseline_metric = "mc_accuracy"', "'scratch' does not record mc_accuracy"),
        (
            PAIR + '\nestimand = "share"\nmetric = "dead_share"',
            "does not record dead_share: give its last phase diagnostics = true",
        ),
        (PAIR + '\nmetric = "normality_error"', "does not record normality_error"),
        (PAIR.replace("0.01", "1.0"), "least_effect 1 cannot be exceeded"),
        (PAIR.replace("0.01", "5.0") + '\nestimand = "equivalence"', "no result is more than 1"),
        (PAIR.replace("0.01", "2.0") + '\nmetric = "test_brier"', "no result is more than 2"),
        (
            PAIR.replace("0.01", "3.0") + '\nestimand = "time_to_target"\ntarget = 0.5',
            "the shorter training has 2 epochs",
        ),
        (
            'estimand = "threshold"\nrecipe = "scratch"\nthreshold = 97\nleast_effect = 0.01',
            "threshold 97: test_accuracy lies between 0 and 1",
        ),
        (
            'estimand = "threshold"\nrecipe = "scratch"\nthreshold = 0.97\nleast_effect = 0.05',
            "no result is more than 0.03 better",
        ),
    ],
)  # fmt: skip
def test_a_claim_that_no_result_could_show_is_refused(text, problem):
    message = claim(text)
    assert message.startswith("tiny.toml: claim")
    assert problem in message


def test_two_predictions_of_one_recipe_can_be_compared():
    text = TINY.replace("[8, 8]", "[8, 8]\nafter = [{ name = 'dropout', rate = 0.1 }]")
    text = text.replace('"scratch"\nphases', '"scratch"\nmonte_carlo = "mc_dropout"\nphases')
    same = PAIR.replace("transfer", "scratch") + '\nmetric = "mc_ece"\nbaseline_metric = "test_ece"'
    suite = parse_suite(text.replace(PAIR, same), "tiny.toml")
    assert suite.claims[0].compared() == ("scratch", "scratch")


def test_a_suite_whose_recipes_do_not_record_its_primary_metric_is_refused():
    claims = TINY[TINY.index("[[claims]]") :]
    message = mistake((claims, ""), ('activation = "logistic"', 'activation = "linear"'))
    assert message == (
        "tiny.toml: primary: no recipe records test_accuracy: give its network a softmax or "
        "logistic output, or choose test_loss"
    )


def test_a_recipe_is_there_once_in_each_case():
    suite = parse_suite(TINY, "tiny.toml")
    with pytest.raises(ValidationError, match="a recipe is there twice in one case"):
        Suite(**dict(suite) | {"cells": (*suite.cells, suite.cells[0])})


def test_claims_with_one_name_are_refused():
    again = TINY[TINY.index("[[claims]]") :]
    assert mistake(("[[claims]]", f"{again}[[claims]]")) == (
        "tiny.toml: two claims are called 'transfer_helps'"
    )
    other = again.replace("transfer_helps", "Transfer_Helps")
    assert "capital letters do not tell" in mistake(("[[claims]]", f"{other}[[claims]]"))


@pytest.mark.parametrize(
    ("metric", "least", "largest"),
    [
        ("test_accuracy", 0, 1),
        ("mc_ece", 0, 1),
        ("test_brier", 0, 2),
        ("zero_share", 0, 1),
        ("dead_share", 0, 1),
        ("test_loss", 0, float("inf")),
        ("normality_error", 0, float("inf")),
        ("generalisation_gap", -float("inf"), float("inf")),
    ],
)
def test_the_range_of_a_metric(metric, least, largest):
    assert metric_range(metric) == (least, largest)


KINDS = """
[networks.linear]
hidden = [8]
output = { units = 1, activation = "logistic" }
[networks.dropped]
hidden = [8]
after = [{ name = "dropout", rate = 0.1 }]
output = { units = 1, activation = "logistic" }
[networks.number]
hidden = [8]
after = [{ name = "dropout", rate = 0.1 }]
output = { units = 1, activation = "linear" }
[[recipes]]
name = "diagnosed"
phases = [{ use = "scratch", diagnostics = true }]
[[recipes]]
name = "diagnosed_linear"
phases = [{ use = "scratch", network = "linear", diagnostics = true }]
[[recipes]]
name = "diagnosed_early"
phases = [{ use = "scratch", diagnostics = true }, { use = "scratch", name = "b", reuse = "all" }]
[[recipes]]
name = "sampled"
phases = [{ use = "scratch", network = "dropped" }]
monte_carlo = { name = "mc_dropout", samples = 2 }
[[recipes]]
name = "number"
phases = [{ use = "scratch", network = "number" }]
[[recipes]]
name = "sampled_number"
phases = [{ use = "scratch", network = "number" }]
monte_carlo = { name = "mc_dropout", samples = 2 }
"""
"""Recipes that record different metrics."""


@pytest.mark.parametrize("varied", ['["init"]', '["init", "split"]'])
def test_the_metrics_known_beforehand_are_those_that_training_records(
    varied, tiny, manyseeds, tmp_path
):
    claims, results = TINY[TINY.index("[[claims]]") :], tmp_path / "results"
    path = tiny((claims, KINDS), ("seeds = 3\n", f"seeds = 2\nvaried = {varied}\n"))
    answer = manyseeds("run", path, "--backend", "numpy", "--results", results, "--json")
    assert answer.status == 0, answer.err
    ledger = Ledger.open(results / answer.json["rows"][0]["run"])
    records = ledger.records()
    records["generalisation_gap"] = measured(records, "generalisation_gap")
    for name in ledger.suite.recipes():
        rows = records[records["recipe"] == name]
        recorded = {metric for metric in get_args(ClaimMetric) if rows[metric].notna().all()}
        known = recorded_metrics(ledger.suite.recipe(name, ""), ledger.suite.varied)
        assert recorded == known, name
