"""Tables in the units of the pages, from which the numbers of the statistics can be recovered."""

import math

import numpy as np
import pandas as pd
import pytest
import synthetic
from synthetic import KINDS, World

from manyseeds.presentation.wording import claim_unit, means_unit
from manyseeds.report.reported_suites import reported_suites
from manyseeds.report.result_tables import ResultTables
from manyseeds.report.shown_tables import shown_table, shown_tables


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shown")
    (reported,) = reported_suites(
        [synthetic.write(folder, World(text=KINDS, backends=("jax", "pytorch")))]
    )
    return ResultTables(reported)


def pooled(table):
    return table[table["backend"] == "all"].set_index("claim")


def test_a_claim_has_the_numbers_of_its_page_and_their_unit(results):
    raw, shown = pooled(results.claims), pooled(shown_table(results, "claims"))
    assert shown["unit"].to_dict() == {
        "better": "points",
        "sooner": "epochs",
        "quicker": "s",
        "ratio": "ratio of errors",
        "mostly": "%",
        "same": "points",
        "order": "Kendall's tau",
        "enough": "points",
    }
    assert shown.loc["better", "improvement"] == 100 * raw.loc["better", "improvement"]
    assert shown.loc["better", "least_effect"] == 1
    assert shown.loc["ratio", "improvement"] == math.exp(raw.loc["ratio", "improvement"])
    assert shown.loc["ratio", "least_effect"] == pytest.approx(1.5)
    assert shown.loc["mostly", "improvement"] == 100 * (raw.loc["mostly", "improvement"] + 0.5)
    assert shown.loc["mostly", "least_effect"] == 75
    assert shown.loc["order", "improvement"] == raw.loc["order", "improvement"]
    suite = results.reported.suite
    assert {claim.name: claim_unit(claim).of_gains for claim in suite.claims} == dict(shown["unit"])
    assert {claim.name: means_unit(claim).of_values for claim in suite.claims} == dict(
        shown["means_unit"]
    )


def test_a_threshold_has_the_recipes_mean_beside_the_threshold_and_an_order_has_no_means(results):
    shown = pooled(shown_table(results, "claims"))
    mean = pooled_accuracy(results.reported.records, "one_rate")
    assert shown.loc["enough", "treatment_mean"] == pytest.approx(100 * mean)
    assert shown.loc["enough", "baseline_mean"] == pytest.approx(97)
    assert shown.loc["enough", "improvement"] == pytest.approx(100 * mean - 97)
    assert shown.loc["order", ["baseline_mean", "treatment_mean"]].isna().all()
    assert shown.loc[["order", "enough"], ["correlation", "variance_ratio"]].isna().all(axis=None)


def pooled_accuracy(records, recipe):
    rows = records[(records["recipe"] == recipe) & (records["mode"] == "cohort")]
    return rows.groupby("seed")["test_accuracy"].mean().mean()


def test_the_statistics_can_be_recovered_and_the_rest_is_untouched(results):
    raw, shown = results.claims, shown_table(results, "claims")
    back = {
        "points": lambda x: x / 100,
        "%": lambda x: x / 100 - 0.5,
        "ratio of errors": np.log,
    }
    columns = ["improvement", "low", "high", "family_low", "family_high", "least_effect"]
    for unit, rows in shown.groupby("unit"):
        recovered = rows[columns].map(back.get(unit, lambda x: x))
        pd.testing.assert_frame_equal(recovered, raw.loc[rows.index, columns], rtol=1e-12)
    scaled = {*columns, "sd", "baseline_mean", "treatment_mean", "unit", "means_unit"}
    scaled |= {"trained_improvement", "trained_low", "trained_high"}
    rest = [name for name in shown if name not in scaled]
    pd.testing.assert_frame_equal(shown[rest], raw[rest])


def test_every_table_in_a_metrics_unit_says_which(results):
    shown = shown_tables(results)
    assert set(shown["summary"]["unit"]) == {"%"}
    assert shown["summary"]["accuracy_mean"].between(90, 100).all()
    assert set(shown["comparisons"]["unit"]) == {"points"}
    published = shown["published"].drop_duplicates(["label", "quantity"])
    figures = {(r["label"], r["unit"]): r["figure"] for r in published.to_dict("records")}
    assert figures[("book", "points")] == pytest.approx(2.05)
    assert figures[("book", "factor of errors")] == 3.7
    curve = shown["confession"]
    assert set(curve["unit"]) == {"points", "factor of errors"}
    first = curve[(curve["claim"] == "better") & (curve["k"] == 1) & (curve["backend"] == "jax")]
    expected = results.confession.loc[first.index, "expected"].to_numpy() * [100, 1]
    assert first["expected"].to_numpy() == pytest.approx(expected)
    assert set(shown["metrics"]["unit"]) == {"test loss"}
