"""Scores by seed, their seconds, and the problems on which recipes can be compared."""

import numpy as np
import pandas as pd

from manyseeds.statistics.layer_diagnostics import layers_table
from manyseeds.statistics.profiles import error_costs
from manyseeds.statistics.seed_scores import lost_rows, seed_scores, tradeoff_table

OTHER = """
[tasks.u]
dataset = "fashion-mnist"
classes = [0, 1]
[[recipes]]
name = "elsewhere"
phases = [{ use = "p", task = "u" }]
"""
CASES = {
    ("old", "5-6", "jax"): [0.8, 0.6, "failed", 0.5],
    ("old", "7-9", "jax"): [0.6, 0.4, 0.9, 0.5],
    ("new", "5-6", "jax"): [0.9, "diverged", 0.9, 0.5],
    ("new", "7-9", "jax"): [0.7, 0.8, 0.9, 0.5],
}


def test_a_seed_is_the_mean_of_its_cases_and_needs_all_of_them(suite, records):
    scores = seed_scores(records(CASES), suite("[[5, 6], [7, 9]]"))
    np.testing.assert_allclose(scores["old", "jax"], [0.7, 0.5, np.nan, 0.5])
    np.testing.assert_allclose(scores["new", "jax"], [0.8, np.nan, 0.9, 0.5])


def test_rows_without_a_score_are_counted_by_status(suite, records):
    lost = lost_rows(records(CASES), suite("[[5, 6], [7, 9]]"))
    assert lost.loc["old"].to_dict() == {"promised": 8, "diverged": 0, "lost": 1}
    assert lost.loc["new"].to_dict() == {"promised": 8, "diverged": 1, "lost": 0}


def test_a_problem_is_a_seed_in_a_case_on_a_backend(suite, records):
    costs = error_costs(records(CASES), suite("[[5, 6], [7, 9]]"))
    assert len(costs) == 7  # one recipe failed on the eighth
    assert ("5-6", "jax", 2) not in costs.index
    assert costs.loc[("5-6", "jax", 1), "new"] == np.inf  # it diverged
    np.testing.assert_allclose(costs.loc[("7-9", "jax", 0)], [0.4, 0.3])


def test_recipes_of_another_task_are_not_compared(suite, records):
    cells = {(name, "5-6", "jax"): [0.8, 0.6, 0.7, 0.5] for name in ("old", "new")}
    cells["elsewhere", "", "jax"] = [1.0] * 4
    costs = error_costs(records(cells), suite(more=OTHER))
    assert list(costs) == ["old", "new"]


def test_a_recipe_of_no_case_is_there_in_every_case(suite, records):
    cells = {
        ("old", "", "jax"): [0.5, 0.5],
        ("new", "5-6", "jax"): [0.6, 0.7],
        ("new", "7-9", "jax"): [0.8, 0.9],
    }
    costs = error_costs(records(cells), suite("[[5, 6], [7, 9]]"))
    np.testing.assert_allclose(costs["old"], 0.5)
    assert len(costs) == 4


def test_seconds_of_a_recipe_that_lacks_them_in_a_case_are_unknown(suite, records):
    scores = seed_scores(records(CASES), suite("[[5, 6], [7, 9]]"))
    rows = [
        ("old", "5-6", "jax", 2.0, 0.2),
        ("old", "7-9", "jax", np.nan, 0.4),
        ("new", "5-6", "jax", 1.0, 0.1),
        ("new", "7-9", "jax", 3.0, 0.1),
    ]
    names = ["recipe", "case", "backend", "solo_seconds", "cohort_seconds_per_seed"]
    table = tradeoff_table(scores, pd.DataFrame(rows, columns=names)).set_index("recipe")
    np.testing.assert_allclose(table.loc["old", "cohort_seconds_per_seed"], 0.3)
    np.testing.assert_allclose(table["solo_seconds"].reindex(["old", "new"]), [np.nan, 2.0])
    np.testing.assert_allclose(table.loc["new", "score"], (0.8 + 0.9 + 0.5) / 3)


def test_units_of_a_network_of_nans_do_not_count_as_alive(suite):
    rows = [
        ("old", "5-6", "jax", "cohort", "init+order", seed, "p", 1, "hidden1", quantity, value)
        for seed, mean in ((0, np.nan), (1, 0.5))
        for quantity, value in (("output_mean", mean), ("dead", 0.25 * seed))
    ]
    names = [
        *("recipe", "case", "backend", "mode", "vary", "seed"),
        *("phase", "epoch", "layer", "quantity", "value"),
    ]
    table = layers_table(pd.DataFrame(rows, columns=names), suite()).set_index("quantity")
    assert table.loc["dead", ["seeds", "median"]].tolist() == [1, 0.25]
