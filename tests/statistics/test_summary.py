"""The summary table: counts of all promised rows, figures of the ok rows, seconds kept apart."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from manyseeds.statistics import summary_table


def test_figures_are_those_of_the_rows_that_are_ok(suite, records):
    values = list(np.random.default_rng(0).uniform(0.9, 1, 41))
    row = summary_table(records({("old", "5-6", "jax"): [*values, "diverged"]}), suite()).iloc[0]
    assert row["accuracy_mean"] == pytest.approx(np.mean(values))
    assert row["accuracy_sd"] == pytest.approx(np.std(values, ddof=1))
    assert row["accuracy_median"] == pytest.approx(np.median(values))
    assert row["accuracy_iqm"] == pytest.approx(stats.trim_mean(values, 0.25))
    assert (row["accuracy_min"], row["accuracy_max"]) == (min(values), max(values))
    assert row["error_mean"] == pytest.approx(1 - np.mean(values))
    assert row["error_low"] == pytest.approx(1 - row["accuracy_high"], abs=1e-4)
    assert (row["error_min"], row["error_max"]) == pytest.approx((1 - max(values), 1 - min(values)))


def test_every_promised_row_is_counted_once(suite, records):
    scores = [0.9, 0.91, "diverged", "failed", "timed_out", "missing", "missing"]
    row = summary_table(records({("old", "5-6", "jax"): scores}), suite()).iloc[0]
    counts = row[["promised", "ok", "diverged", "failed", "timed_out", "missing"]]
    assert counts.tolist() == [7, 2, 1, 1, 1, 2]


def test_a_recipe_without_ok_rows_keeps_its_row(suite, records):
    row = summary_table(records({("old", "5-6", "jax"): ["diverged"] * 3}), suite()).iloc[0]
    assert row["promised"] == 3
    assert np.isnan(row["accuracy_mean"])
    assert np.isnan(row["accuracy_iqm"])


def test_no_records_give_an_empty_table_with_all_columns(suite, records):
    table = summary_table(records({}), suite())
    assert table.empty
    assert {"promised", "accuracy_mean", "error_sd", "solo_seconds"} <= set(table.columns)


def test_rows_stand_in_the_suites_order_whatever_the_plans(suite, records):
    cells = {(r, "5-6", b): [0.9] for b in ("pytorch", "jax") for r in ("new", "old")}
    table = summary_table(records(cells), suite())
    order = table[["recipe", "backend"]].apply(tuple, axis=1).tolist()
    assert order == [("old", "pytorch"), ("old", "jax"), ("new", "pytorch"), ("new", "jax")]


def test_seconds_alone_and_in_a_cohort_do_not_mix(suite, records):
    together = records({("old", "5-6", "jax"): [0.9] * 4})
    together = together.assign(
        seconds_train=8.0, seconds_evaluate=2.0, seconds_shared=10.0, seconds_compile=3.0
    )
    alone = records({("old", "5-6", "jax"): [0.9, "failed"]}, mode="solo").assign(
        seconds_train=[1.0, 99.0],
        seconds_evaluate=[0.5, 99.0],
        seconds_shared=[0.25, 99.0],
        seconds_compile=[7.0, 99.0],
        lanes=1,
    )
    row = summary_table(pd.concat([together, alone], ignore_index=True), suite()).iloc[0]
    assert row["promised"] == 4
    assert (row["solo_rows"], row["solo_seconds"], row["solo_compile_seconds"]) == (1, 1.75, 7.0)
    assert row["cohort_seconds_per_seed"] == pytest.approx(20 / 4)
    assert row["cohort_compile_seconds"] == 3.0


def test_without_solo_rows_there_are_no_seconds_of_a_training(suite, records):
    row = summary_table(records({("old", "5-6", "jax"): [0.9] * 4}), suite()).iloc[0]
    assert row["solo_rows"] == 0
    assert np.isnan(row["solo_seconds"])
