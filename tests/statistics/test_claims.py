"""Paired differences, pooled by seed, with every lost pair counted."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from manyseeds.ledger.schemas import METRICS
from manyseeds.statistics import claims_table, comparisons_table, published_table
from manyseeds.statistics.comparisons import against
from manyseeds.statistics.error_factors import reached
from manyseeds.suite.claims import ClaimMetric, less_is_better


def two(old, new, backend="jax", case="5-6"):
    return {("old", case, backend): old, ("new", case, backend): new}


def noisy(mean, sd, n, seed):
    return list(np.random.default_rng(seed).normal(mean, sd, n))


def test_the_improvement_is_the_mean_of_the_differences_by_seed(suite, records, pooled):
    old, new = noisy(0.9, 0.01, 30, 1), noisy(0.93, 0.005, 30, 2)
    row = pooled(claims_table(records(two(old, new)), suite()))
    difference = np.array(new) - np.array(old)
    expected = stats.ttest_rel(new, old).confidence_interval()
    assert row["improvement"] == pytest.approx(difference.mean())
    assert row["sd"] == pytest.approx(difference.std(ddof=1))
    assert row["low"] == pytest.approx(expected.low, abs=1e-3)
    assert row["high"] == pytest.approx(expected.high, abs=1e-3)
    assert row["verdict"] == "holds"
    assert np.isnan(row["seeds_to_settle"])


def test_correlation_and_variance_ratio_are_those_of_the_pairs(suite, records, pooled):
    common = np.array(noisy(0, 0.01, 200, 3))
    old, new = common + noisy(0.9, 0.005, 200, 4), common + noisy(0.9, 0.005, 200, 5)
    row = pooled(claims_table(records(two(list(old), list(new))), suite()))
    assert row["correlation"] == pytest.approx(stats.pearsonr(old, new).statistic)
    apart = old.var(ddof=1) + new.var(ddof=1)
    assert row["variance_ratio"] == pytest.approx((new - old).var(ddof=1) / apart)
    assert row["variance_ratio"] < 0.4


def test_three_identical_backends_are_no_more_seeds_than_one(suite, records, pooled):
    old, new = noisy(0.9, 0.01, 20, 6), noisy(0.92, 0.01, 20, 7)
    three = {}
    for backend in ("pytorch", "tensorflow", "jax"):
        three |= two(old, new, backend)
    one = pooled(claims_table(records(two(old, new)), suite()))
    row = pooled(claims_table(records(three), suite()))
    for column in ("pairs", "improvement", "low", "high", "sd"):
        assert row[column] == pytest.approx(one[column])


def test_a_seed_is_averaged_over_the_backends_that_have_it(suite, records, pooled):
    cells = two([0.9, 0.9], [0.92, 0.94], "jax") | two([0.9, "failed"], [0.96, 0.5], "pytorch")
    table = claims_table(records(cells), suite())
    assert pooled(table)["improvement"] == pytest.approx((0.04 + 0.04) / 2)
    assert pooled(table)["lost"] == 0
    assert pooled(table, backend="pytorch")["lost"] == 1


@pytest.mark.parametrize("status", ["failed", "timed_out", "missing"])
def test_a_pair_with_a_row_that_is_not_ok_is_lost_and_counted(suite, records, pooled, status):
    row = pooled(claims_table(records(two([0.9] * 6, [0.95] * 5 + [status])), suite()))
    assert (row["promised"], row["pairs"], row["lost"]) == (6, 5, 1)
    assert row["improvement"] == pytest.approx(0.05)


def test_an_ok_row_without_a_number_is_lost_too(suite, records, pooled):
    row = pooled(claims_table(records(two([0.9] * 6, [0.95] * 5 + [np.nan])), suite()))
    assert (row["pairs"], row["lost"]) == (5, 1)


@pytest.mark.parametrize(("old", "new"), [(9, 6), (6, 9)])
def test_seeds_that_only_one_recipe_has_are_lost_pairs(suite, records, pooled, old, new):
    row = pooled(claims_table(records(two([0.9] * old, [0.95] * new)), suite()))
    assert (row["promised"], row["pairs"], row["lost"]) == (9, 6, 3)


def test_a_number_in_a_row_that_is_not_ok_is_no_result(suite, records, pooled):
    rows = records(two([0.9] * 6, [0.95] * 6))
    rows.loc[rows["seed"] == 0, ["status", "test_accuracy"]] = ["failed", 0.1]
    row = pooled(claims_table(rows, suite()))
    assert (row["pairs"], row["improvement"]) == (5, pytest.approx(0.05))


def test_when_all_diverged_they_count_as_guessing(suite, records, pooled):
    row = pooled(claims_table(records(two([0.9] * 6, ["diverged"] * 6)), suite()))
    assert (row["pairs"], row["diverged"], row["verdict"]) == (6, 6, "reversed")
    assert row["improvement"] == pytest.approx(0.5 - 0.9)
    assert row["trained_pairs"] == 0


def test_a_diverged_pair_is_lost_if_guessing_has_no_score(suite, records, pooled):
    cells = two([0.1] * 6, ["diverged"] * 6)
    row = pooled(claims_table(records(cells, metric="test_ece"), suite(metric="test_ece")))
    assert (row["pairs"], row["lost"], row["verdict"]) == (0, 6, "inconclusive")
    assert np.isnan(row["improvement"])


def test_all_ties_are_negligible(suite, records, pooled):
    row = pooled(claims_table(records(two([0.9] * 6, [0.9] * 6)), suite()))
    assert (row["low"], row["high"], row["verdict"]) == (0, 0, "negligible")
    assert (row["better"], row["tied"], row["worse"]) == (0, 6, 0)


def test_one_seed_has_an_improvement_and_no_verdict(suite, records, pooled):
    row = pooled(claims_table(records(two([0.9], [0.95])), suite()))
    assert row["improvement"] == pytest.approx(0.05)
    assert row["verdict"] == "inconclusive"


def test_without_records_the_claim_is_still_there(suite, records, pooled):
    row = pooled(claims_table(records({}), suite()))
    assert (row["promised"], row["pairs"], row["verdict"]) == (0, 0, "inconclusive")


def test_less_loss_is_an_improvement(suite, records, pooled):
    cells = records(two([0.5] * 6, [0.4] * 6), metric="test_loss")
    row = pooled(claims_table(cells, suite(metric="test_loss")))
    assert row["improvement"] == pytest.approx(0.1)
    assert row["verdict"] == "holds"


def test_solo_rows_and_single_streams_are_no_evidence(suite, records, pooled):
    counted = records(two([0.9] * 6, [0.95] * 6))
    alone = records(two([0.1] * 6, [0.2] * 6), mode="solo")
    single = records(two([0.1] * 6, [0.2] * 6), vary="init")
    everything = pd.concat([alone, counted, single], ignore_index=True)
    pd.testing.assert_frame_equal(claims_table(everything, suite()), claims_table(counted, suite()))


def test_a_treatment_without_errors_has_an_infinite_factor(suite, records, pooled):
    row = pooled(claims_table(records(two([0.9, 0.9, 1.0], [1.0, 0.98, 1.0])), suite()))
    assert row["zero_errors"] == 1
    assert row["factor_median"] == pytest.approx(5)  # of infinity, 5 and 1
    assert row["factor_reached"] == pytest.approx(2 / 3)


def test_over_backends_a_seed_counts_once_with_the_share_of_its_trainings(suite, records, pooled):
    cells = two([0.9] * 4, [0.95, 0.95, 0.91, 0.91], "jax")
    cells |= two([0.9] * 4, [0.91, 0.95, 0.91, 0.91], "pytorch")
    row = pooled(claims_table(records(cells), suite()))
    assert row["factor_reached"] == pytest.approx(1.5 / 4)
    exact = [stats.binomtest(count, 4).proportion_ci(0.95) for count in (1, 2)]
    assert exact[0].low < row["factor_reached_low"] < exact[1].low
    assert exact[0].high < row["factor_reached_high"] < exact[1].high


@pytest.mark.parametrize(("count", "n"), [(0, 10), (3, 10), (10, 10), (37, 100)])
def test_the_interval_of_a_share_is_clopper_and_pearsons(count, n):
    values = np.array([5.0] * count + [1.0] * (n - count))
    expected = stats.binomtest(count, n).proportion_ci(0.95)
    assert reached(values, 5.0) == pytest.approx((count / n, expected.low, expected.high))


def test_over_all_cases_a_seed_needs_every_case(suite, records, pooled):
    cells = two([0.9] * 6, [0.95] * 6, case="5-6") | two(
        [0.9] * 6, [0.91] * 5 + ["failed"], case="0-1"
    )
    table = claims_table(records(cells), suite("[[5, 6], [0, 1]]"))
    assert list(dict.fromkeys(table["case"])) == ["5-6", "0-1", "all"]
    over_all = pooled(table, case="all")
    assert over_all["improvement"] == pytest.approx(0.03)
    assert (over_all["pairs"], over_all["lost"]) == (5, 1)
    assert over_all["factor_reached"] == pytest.approx((5 * 0.5 + 1) / 6)  # only case 5-6 does


def test_published_figures_have_their_percentile_among_the_seeds(suite, records):
    new = [0.93, 0.94, 0.95, 0.96, 0.97]
    table = published_table(records(two([0.9] * 5, new)), suite())
    book = table[(table["label"] == "book") & (table["backend"] == "all")].iloc[0]
    assert book["figure"] == pytest.approx(0.05)
    assert book["percentile"] == stats.percentileofscore([3, 4, 5, 6, 7], 5, kind="mean")
    assert book["reached"] == pytest.approx(3 / 5)
    printed = table[(table["label"] == "printed") & (table["backend"] == "all")].iloc[0]
    assert printed["reached"] == pytest.approx(1 / 5)  # only 0.97 leaves a third of the errors


def test_the_average_over_backends_adds_no_seeds_to_a_percentile(suite, records):
    cells = two([0.9] * 4, [0.95] * 4, "jax") | two([0.9] * 4, [0.96] * 4, "pytorch")
    table = published_table(records(cells), suite())
    book = table[(table["label"] == "book") & (table["backend"] == "all")].iloc[0]
    assert book["pairs"] == 4
    assert book["percentile"] == pytest.approx((50 + 0) / 2)


def test_every_recipe_is_compared_with_the_claims_baseline(suite, records, pooled):
    table = comparisons_table(records(two([0.9] * 6, [0.95] * 6)), suite())
    row = pooled(table)
    assert (row["treatment"], row["baseline"]) == ("new", "old")
    assert row["improvement"] == pytest.approx(0.05)


OTHERS = """
[tasks.more]
dataset = "fashion-mnist"
classes = "pair"
train = 50
[tasks.other]
dataset = "mnist"
[[recipes]]
name = "more"
phases = [{ use = "p", task = "more" }]
[[recipes]]
name = "other"
phases = [{ use = "p", task = "other" }]
[[recipes]]
name = "other_faster"
phases = [{ use = "p", task = "other", rate = 1e-2 }]
"""


def test_recipes_are_compared_only_where_the_same_images_score_them(suite):
    found = against(suite(more=OTHERS))
    assert found == {"new": "old", "more": "old", "other_faster": "other"}


def test_the_claims_baseline_need_not_be_the_suites_first_recipe(suite):
    claimed = suite(more=OTHERS)
    claim = claimed.claims[0].model_copy(update={"treatment": "old", "baseline": "new"})
    found = against(claimed.model_copy(update={"claims": (claim,)}))
    assert found == {"old": "new", "more": "new", "other_faster": "other"}


SAMPLED = """
[[claims]]
name = "sampling"
sentence = "Sampling is better on the same networks."
treatment = "old"
baseline = "old"
metric = "METRIC"
baseline_metric = "BASELINE"
least_effect = 0.01
"""


@pytest.mark.parametrize(
    ("metric", "baseline", "sign"),
    [("mc_accuracy", "test_accuracy", 1), ("mc_ece", "test_ece", -1), ("mc_loss", "test_loss", -1)],
)
def test_two_predictions_of_the_same_networks_are_compared_seed_by_seed(
    suite, records, pooled, metric, baseline, sign
):
    asked = suite(more=SAMPLED.replace("METRIC", metric).replace("BASELINE", baseline))
    plain, sampled = np.array([0.5, 0.6, 0.7, 0.8]), np.array([0.55, 0.62, 0.79, 0.84])
    found = records({("old", "5-6", "one"): list(plain)}, metric=baseline)
    found[metric] = sampled
    row = pooled(claims_table(found, asked), claim="sampling")
    assert (row["promised"], row["pairs"], row["lost"]) == (4, 4, 0)
    assert row["improvement"] == pytest.approx(sign * (sampled - plain).mean())
    assert row["treatment_mean"] == pytest.approx(sampled.mean())
    assert row["baseline_mean"] == pytest.approx(plain.mean())
    assert (row["better"], row["worse"]) == ((4, 0) if sign > 0 else (0, 4))


def test_a_generalisation_gap_is_test_loss_less_training_loss(suite, records, pooled):
    asked = suite(metric="generalisation_gap")
    test = {("old", "5-6", "one"): [0.9, 0.8], ("new", "5-6", "one"): [0.7, 0.7]}
    found = records(test, metric="test_loss")
    found["fitted_loss"] = [0.1, 0.2, 0.3, 0.4]
    row = pooled(claims_table(found, asked), claim="better")
    assert row["baseline_mean"] == pytest.approx((0.8 + 0.6) / 2)
    assert row["treatment_mean"] == pytest.approx((0.4 + 0.3) / 2)
    assert row["improvement"] == pytest.approx(0.35)  # a smaller gap is better


@pytest.mark.parametrize("metric", get_args(ClaimMetric))
def test_less_is_better_of_losses_errors_and_dead_units_alone(metric):
    errors = {"loss", "brier", "ece"}
    others = {"dead_share", "normality_error", "generalisation_gap"}
    bad = metric.split("_")[1] in errors or metric in others
    assert less_is_better(metric) == bad
    assert metric in {*METRICS, "generalisation_gap"}  # made of two of them
