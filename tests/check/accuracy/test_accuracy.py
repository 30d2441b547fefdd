"""The accuracy layer, with made-up entries, ledgers and baselines."""

import numpy as np
import pytest

from manyseeds.check.accuracy.comparison import compare, compare_pairs
from manyseeds.check.accuracy.entries import (
    FORM,
)
from manyseeds.check.baseline import BaselineEntry
from manyseeds.check.rows import Row

pytestmark = pytest.mark.filterwarnings("error")

SEEDS = 30
RNG = np.random.default_rng(11)
ACCURACY = 0.76 + 0.01 * RNG.standard_normal(SEEDS)
LOSS = 0.65 + 0.02 * RNG.standard_normal(SEEDS)
OK, DIVERGED, FAILED, TIMED_OUT, MISSING = range(5)


def entry(accuracy=ACCURACY, loss=LOSS, *, subject="gate/adam", backend="jax", **context):
    """Return an entry; arguments replace keys of its usual context."""
    seeds = context.pop("seeds", np.arange(len(accuracy)))
    status = context.pop("status", np.zeros(len(accuracy)))
    usual = {
        "form": FORM,
        "versions": {"jax": "0.10"},
        "primary": "test_accuracy",
        "varied": ["init", "order"],
        "least_effects": {"test_accuracy": 0.005, "test_loss": 0.02},
        "recipe_sha256": "ab",
        "recipe": {"phases": [{"rate": 0.01, "optimizer": {"name": "adam"}}]},
        "datasets": {"fashion-mnist-12k": {"images": "cd"}},
        "machine": "An Example CPU",
        "threads": 2,
        "lanes": 30,
        "deterministic": True,
        "dirty": False,
    }
    arrays = {
        "seeds": np.asarray(seeds, np.int64),
        "status": np.asarray(status, np.int8),
        "test_accuracy": np.asarray(accuracy, np.float64),
        "test_loss": np.asarray(loss, np.float64)[: len(accuracy)],
    }
    return BaselineEntry(Row("accuracy", backend, subject), usual | context, arrays)


def against(then, *now, **how):
    """Compare entries with one that stands for every entry of the baseline."""
    return compare(now, lambda row: then, **how)


def found(then, *now, **how):
    return {f.subject.removeprefix("gate/adam/"): f for f in against(then, *now, **how).findings}


def states(then, *now, **how):
    return {subject: finding.state for subject, finding in found(then, *now, **how).items()}


def test_the_same_numbers_are_unchanged_and_cost_no_correction():
    result = against(entry(), entry())
    assert {f.state for f in result.findings} == {"unchanged"}
    assert {f.size for f in result.findings} == {0.0}
    assert not any(f.fails for f in result.findings)
    assert result.comparisons == len(result.findings) == 3
    assert "3 of identical values" in result.notes[0]


def test_drift_of_float32_is_unchanged():
    noise = 2e-4 * RNG.standard_normal((2, SEEDS))
    result = found(entry(), entry(ACCURACY + noise[0], LOSS + noise[1], threads=1))
    assert {finding.state for finding in result.values()} == {"unchanged"}
    assert "30 seeds paired (correlation 1.00)" in result["test_accuracy"].message


@pytest.mark.parametrize(
    ("quantity", "now", "direction", "size"),
    [
        ("test_accuracy", {"accuracy": ACCURACY - 0.03}, "worse", -0.03),
        ("test_accuracy", {"accuracy": ACCURACY + 0.03}, "better", 0.03),
        ("test_loss", {"loss": LOSS + 0.1}, "worse", 0.1),
        ("test_loss", {"loss": LOSS - 0.1}, "better", -0.1),
    ],
)
def test_a_shift_is_a_change_in_either_direction(quantity, now, direction, size):
    now = entry(**now, versions={"jax": "0.11"})
    finding = found(entry(), now)[quantity]
    assert (finding.state, finding.direction, finding.fails) == ("changed", direction, True)
    assert finding.size == pytest.approx(size)
    assert (finding.low, finding.high) == pytest.approx((size, size))  # the same of every seed
    assert (finding.then, finding.now) == ({"jax": "0.10"}, {"jax": "0.11"})
    assert str(finding.row) == f"accuracy/jax/gate/adam/{quantity}"


def test_a_wider_spread_is_worse_and_the_mean_unchanged():
    centre = np.median(ACCURACY)
    wider = centre + 4 * (ACCURACY - centre)
    wider += ACCURACY.mean() - wider.mean()
    result = found(entry(), entry(wider))
    assert result["test_accuracy spread"].state == "changed"
    assert result["test_accuracy spread"].direction == "worse"
    assert result["test_accuracy"].state != "changed"
    narrower = found(entry(wider), entry())["test_accuracy spread"]
    assert (narrower.state, narrower.direction) == ("changed", "better")


def test_seeds_that_diverge_now_are_a_change_beside_the_mean_they_spoil():
    lost = np.arange(SEEDS) < 14
    now = entry(np.where(lost, 0.1, ACCURACY), np.where(lost, 2.3, LOSS), status=lost)
    result = found(entry(), now)
    assert result["diverged"].state == "changed"
    assert result["diverged"].direction == "worse"
    assert result["diverged"].size == pytest.approx(14 / SEEDS)
    assert result["test_accuracy"].direction == "worse"
    assert result["test_accuracy spread"].state == "unchanged"  # of those that did not
    assert "14 not on both sides" in result["test_accuracy spread"].message


def test_a_recipe_that_always_diverges_is_unchanged():
    guess = entry(np.full(SEEDS, 0.1), np.full(SEEDS, 2.3), status=np.full(SEEDS, DIVERGED))
    assert states(guess, guess) == {
        "test_accuracy": "unchanged",
        "test_loss": "unchanged",
        "diverged": "unchanged",
    }


def test_independent_scatter_cannot_be_decided_and_says_how_many_seeds_would_do():
    other = 0.76 + 0.01 * RNG.standard_normal(SEEDS)
    finding = found(entry(), entry(other))["test_accuracy"]
    assert (finding.state, finding.fails) == ("cannot tell", False)
    assert "seeds would tell (power 80%)" in finding.message
    assert finding.low < -0.005 or finding.high > 0.005


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"recipe_sha256": "ef", "recipe": {"phases": [{"rate": 0.02}]}}, "rate 0.01 → 0.02"),
        ({"recipe_sha256": "ef"}, "fingerprint"),
        ({"varied": ["init"]}, "streams"),
        ({"primary": "test_loss"}, "primary metric: test_accuracy → test_loss"),
        ({"datasets": {"fashion-mnist-12k": {"images": "00"}}}, "'fashion-mnist-12k'"),
        ({"seeds": np.arange(SEEDS) + 1}, r"30 (0 … 29) → 30 (1 … 30)"),
    ],
)
def test_another_question_is_not_comparable_and_fails(change, told):
    (finding,) = against(entry(), entry(**change)).findings
    assert (finding.state, finding.fails) == ("not comparable", True)
    assert told in finding.message


def test_an_entry_of_another_form_is_not_read():
    (finding,) = against(entry(form=0), entry()).findings
    assert (finding.state, finding.fails) == ("not comparable", True)


def test_the_order_of_seeds_does_not_matter():
    order = RNG.permutation(SEEDS)
    now = entry(ACCURACY[order], LOSS[order], seeds=order)
    assert set(states(entry(), now).values()) == {"unchanged"}


def test_the_order_of_seeds_does_not_matter_to_which_diverged():
    order, lost = RNG.permutation(SEEDS), np.arange(SEEDS) < 3
    then, now = entry(status=lost), entry(seeds=order, status=lost[order])
    assert states(then, now)["diverged"] == "unchanged"


def test_a_recipe_without_a_baseline_is_missing_and_fails():
    (finding,) = compare([entry()], lambda row: None).findings
    assert (finding.state, finding.fails) == ("missing", True)
    assert "manyseeds baseline --accept" in finding.message


def test_a_row_of_the_baseline_that_was_not_trained_is_missing_and_fails():
    rows = ["accuracy/jax/gate/adam", "accuracy/jax/gate/nadam/5-6"]
    result = against(entry(), entry(), promised=map(Row.parse, rows))
    (absent,) = (f for f in result.findings if f.state == "missing")
    assert (str(absent.row), absent.fails) == (rows[1], True)


def test_nothing_at_all_is_missing_and_fails():
    (finding,) = against(entry()).findings
    assert (finding.state, finding.fails) == ("missing", True)


@pytest.mark.parametrize(
    ("status", "told"),
    [(FAILED, "3 failed"), (TIMED_OUT, "3 timed out"), (MISSING, "3 missing")],
)
def test_rows_that_were_not_delivered_are_missing_with_their_number(status, told):
    lost = np.arange(SEEDS) < 3
    values = np.where(lost, np.nan, ACCURACY)
    now = entry(values, status=np.where(lost, status, OK), reasons=["out of memory"])
    (finding,) = against(entry(), now).findings
    assert (finding.state, finding.fails) == ("missing", True)
    assert told in finding.message
    assert "of 30 seeds" in finding.message
    assert "out of memory" in finding.message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_missing(value):
    spoilt = np.append(ACCURACY[:-1], value)
    (finding,) = against(entry(), entry(spoilt)).findings
    assert (finding.state, finding.fails) == ("missing", True)
    assert "1 ok without a finite test_accuracy" in finding.message


def test_a_metric_without_values_now_is_missing():
    finding = found(entry(), entry(loss=np.full(SEEDS, np.nan)))["test_loss"]
    assert (finding.state, finding.fails) == ("missing", True)


def test_gaps_in_the_baseline_are_reported_and_the_rest_compared():
    lost = np.arange(SEEDS) < 3
    then = entry(np.where(lost, np.nan, ACCURACY), status=np.where(lost, FAILED, OK))
    finding = found(then, entry())["test_accuracy"]
    assert finding.state == "unchanged"
    assert finding.message == "identical in all 27 seeds, 3 not on both sides"


@pytest.mark.parametrize("seeds", [1, 4])
def test_few_seeds_cannot_tell(seeds):
    few = entry(ACCURACY[:seeds])
    assert set(states(few, few).values()) == {"cannot tell"}
    assert "at least 5 seeds" in found(few, few)["test_accuracy"].message


def test_no_seeds_are_missing():
    (finding,) = against(entry(), entry([])).findings
    assert (finding.state, finding.fails) == ("missing", True)


def test_a_change_names_different_conditions_and_the_result_of_the_numerics():
    worse = entry(ACCURACY - 0.03, threads=1)
    assert found(entry(), worse)["test_accuracy"].reason == "threads 2 → 1"
    reason = found(entry(), worse, numerics_agree={"jax": False})["test_accuracy"].reason
    assert "float64 trajectories have changed too" in reason
    reason = found(entry(), worse, numerics_agree={"jax": True})["test_accuracy"].reason
    assert "float64 trajectories still agree" in reason
    assert found(entry(), entry(), numerics_agree={"jax": True})["test_accuracy"].reason == ""


def test_numbers_that_differ_under_the_same_conditions_are_noted():
    drifted = ACCURACY + 1e-5 * RNG.standard_normal(SEEDS)
    told = "not deterministic"
    assert any(told in note for note in against(entry(), entry(drifted)).notes)
    assert not any(told in note for note in against(entry(), entry()).notes)
    for other in ({"threads": 1}, {"versions": {"jax": "0.11"}}, {"dirty": True}):
        assert not any(told in note for note in against(entry(), entry(drifted, **other)).notes)


def test_findings_come_in_the_order_of_training():
    entries = [entry(subject=f"gate/{name}") for name in ("z", "a", "m")]
    result = against(entry(), *entries)
    assert [f.row.parts[1] for f in result.findings] == [*"zzz", *"aaa", *"mmm"]


def test_seeds_that_no_run_shares_are_compared_unpaired():
    then, now = entry(seeds=np.arange(30)), entry(ACCURACY - 0.1, seeds=np.arange(30) + 100)
    findings = compare_pairs([(now, then)], same_seeds=False).findings
    mean = next(f for f in findings if f.subject.endswith("test_accuracy"))
    assert (mean.state, mean.direction) == ("changed", "worse")
    assert "30 and 30 seeds unpaired" in mean.message
