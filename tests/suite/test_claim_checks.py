"""Claims that no result could show are refused; the metrics known beforehand are those recorded."""

from typing import get_args

import pytest

from manyseeds.ledger.ledger import Ledger
from manyseeds.statistics.scores import measured
from manyseeds.suite.claims import ClaimMetric, metric_range
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.recorded import recorded_metrics
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


DIAGNOSED = ("rate = 0.01", "rate = 0.01\ndiagnostics = true")
DROPOUT = ("[8, 8]", '[8, 8]\nafter = [{ name = "dropout", rate = 0.1 }]')
SAMPLED = ('"scratch"\nphases', '"scratch"\nmonte_carlo = { name = "mc_dropout" }\nphases')
REGRESSION = ('activation = "logistic"', 'activation = "linear"')
KINDS = {
    "plain": [],
    "split varied": [("lanes = 2", 'lanes = 2\nvaried = ["init", "split"]')],
    "diagnostics": [DIAGNOSED],
    "diagnostics of a linear network": [('activation = "selu"\n', ""), DIAGNOSED],
    "Monte Carlo": [DROPOUT, SAMPLED],
    "regression": [REGRESSION, ("lanes = 2", 'lanes = 2\nprimary = "test_loss"')],
    "Monte Carlo of a regression": [REGRESSION, DROPOUT, SAMPLED],
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_metrics_known_beforehand_are_those_that_training_records(
    kind, tiny, manyseeds, tmp_path
):
    claims = TINY[TINY.index("[[claims]]") :]
    path, results = tiny((claims, ""), *KINDS[kind]), tmp_path / "results"
    answer = manyseeds(
        "run", path, "--backend", "numpy", "--recipe", "scratch", "--seeds", 2,
        "--results", results, "--json",
    )  # fmt: skip
    assert answer.status == 0, answer.err
    ledger = Ledger.open(results / answer.json["rows"][0]["run"])
    records = ledger.records()
    records["generalisation_gap"] = measured(records, "generalisation_gap")
    recorded = {name for name in get_args(ClaimMetric) if records[name].notna().all()}
    assert recorded == recorded_metrics(ledger.suite.recipe("scratch", ""), ledger.suite.varied)
