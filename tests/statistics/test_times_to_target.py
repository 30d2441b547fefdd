"""The time to a target, against counting by hand; a missing curve is not a training that failed."""

import numpy as np
import pandas as pd
import pytest

from manyseeds.ledger.schemas import CURVE_SCHEMA
from manyseeds.statistics import claims_table

TIME = """
[[claims]]
name = "asked"
sentence = "It is so."
estimand = "time_to_target"
target = 0.8
least_effect = 0.5
treatment = "new"
baseline = "old"
"""


def curves_of(courses, backend="jax"):
    """Return curves of lists of validation accuracies by recipe and seed; None has no curve."""
    rows = [
        {
            "recipe": recipe, "case": "5-6", "backend": backend, "mode": "cohort",
            "vary": "init+order", "seed": seed, "epoch": epoch, "valid_accuracy": accuracy,
        }
        for recipe, seeds in courses.items()
        for seed, course in enumerate(seeds)
        for epoch, accuracy in enumerate(course or (), start=1)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=CURVE_SCHEMA.names)


def longer(suite, epochs=4):
    """Return the suite with every phase of this many epochs."""
    cells = [
        cell.model_copy(
            update={"recipe": cell.recipe.model_copy(
                update={"phases": tuple(
                    phase.model_copy(update={"epochs": epochs}) for phase in cell.recipe.phases
                )}
            )}
        )
        for cell in suite.cells
    ]  # fmt: skip
    return suite.model_copy(update={"cells": tuple(cells)})


@pytest.fixture
def timed(suite, records, pooled):
    def ask(courses, statuses=None):
        text = {name: [0.9] * len(seeds) for name, seeds in courses.items()} | (statuses or {})
        table = records({(name, "5-6", "jax"): values for name, values in text.items()})
        found = longer(suite(more=TIME))
        return pooled(claims_table(table, found, curves=curves_of(courses)), claim="asked")

    return ask


def test_the_time_is_the_first_epoch_at_the_target(timed):
    row = timed({"old": [[0.1, 0.7, 0.8, 0.7]] * 6, "new": [[0.85, 0.1, 0.1, 0.9]] * 6})
    assert (row["baseline_mean"], row["treatment_mean"]) == (3, 1)
    assert (row["improvement"], row["verdict"]) == (2, "holds")
    assert (row["never_treatment"], row["never_baseline"]) == (0, 0)
    assert row["without_value"] == 0


def test_a_training_that_never_reaches_the_target_counts_as_the_end_and_is_counted(timed):
    row = timed({"old": [[0.1, 0.2, 0.3, 0.4]] * 6, "new": [[0.1, 0.9, 0.9, 0.9]] * 6})
    assert (row["baseline_mean"], row["treatment_mean"]) == (4, 2)
    assert row["never_baseline"] == 6


def test_a_training_that_diverged_never_reached_it_and_a_failed_one_is_lost(timed):
    row = timed(
        {"old": [[0.1]] * 3 + [[0.1, 0.9, 0.9, 0.9]] * 5, "new": [[0.9, 0.9, 0.9, 0.9]] * 8},
        {"old": ["diverged", "diverged", "failed"] + [0.9] * 5},
    )
    assert (row["pairs"], row["lost"], row["without_value"]) == (7, 1, 0)
    assert row["baseline_mean"] == pytest.approx((2 * 4 + 5 * 2) / 7)
    assert row["never_baseline"] == 2


def test_a_missing_curve_is_counted_as_missing_and_not_as_never(timed):
    early, late = [0.9, 0.9, 0.9, 0.9], [0.1, 0.1, 0.9, 0.9]
    row = timed({"old": [late] * 7 + [[0.1] * 4], "new": [None] * 3 + [early] * 5})
    assert (row["promised"], row["pairs"], row["lost"], row["without_value"]) == (8, 5, 3, 3)
    assert (row["never_treatment"], row["never_baseline"]) == (0, 1)
    assert row["treatment_mean"] == 1
    assert row["baseline_mean"] == pytest.approx((4 * 3 + 4) / 5)


def test_a_diverged_training_without_a_curve_is_missing_and_one_with_a_curve_never_came(timed):
    old = [None, [np.nan]] + [[0.1, 0.9, 0.9, 0.9]] * 5
    row = timed({"old": old, "new": [[0.9] * 4] * 7}, {"old": ["diverged", "diverged"] + [0.9] * 5})
    assert (row["pairs"], row["without_value"], row["never_baseline"]) == (6, 1, 1)


def test_a_curve_without_any_accuracy_is_no_curve(timed):
    row = timed({"old": [[np.nan] * 4] * 2 + [[0.9] * 4] * 5, "new": [[0.9] * 4] * 7})
    assert (row["pairs"], row["without_value"], row["never_baseline"]) == (5, 2, 0)


def test_a_seed_counts_on_the_backends_that_have_its_curve(suite, records, pooled):
    course, late = [0.9, 0.9, 0.9, 0.9], [0.1, 0.9, 0.9, 0.9]
    cells = {(n, "5-6", b): [0.9] * 6 for n in ("old", "new") for b in ("jax", "numpy")}
    curves = pd.concat([
        curves_of({"old": [late] * 6, "new": [course] * 6}),
        curves_of({"old": [late] * 6, "new": [None] * 2 + [course] * 4}, "numpy"),
    ])  # fmt: skip
    table = claims_table(records(cells), longer(suite(more=TIME)), curves=curves)
    both = pooled(table, claim="asked")
    assert (both["pairs"], both["without_value"]) == (6, 0)
    one = table[(table["claim"] == "asked") & (table["backend"] == "numpy")].iloc[0]
    assert (one["pairs"], one["without_value"]) == (4, 2)


def test_without_the_ledgers_curves_a_claim_about_times_is_refused(suite, records):
    table = records({("old", "5-6", "jax"): [0.9] * 6, ("new", "5-6", "jax"): [0.9] * 6})
    with pytest.raises(ValueError, match="'asked' is about the time to a target"):
        claims_table(table, suite(more=TIME))


def test_with_no_curve_at_all_every_pair_is_missing(timed):
    row = timed({"old": [None] * 6, "new": [None] * 6})
    assert (row["pairs"], row["without_value"], row["verdict"]) == (0, 6, "inconclusive")
    assert (row["never_treatment"], row["never_baseline"]) == (0, 0)


@pytest.fixture
def alone(suite, records, pooled):
    """Return the row of a claim in seconds, whose solo rows have some recipes only."""

    def ask(*recipes):
        found = suite(more=TIME + 'clock = "seconds"\n')
        courses = {"old": [[0.9]] * 6, "new": [[0.9]] * 6}
        table = records({(name, "5-6", "jax"): [0.9] * 6 for name in courses})
        solo = records({(name, "5-6", "jax"): [0.9] * 2 for name in recipes}, mode="solo")
        solo = solo.assign(epochs=2, seconds_shared=0.0)
        solo["seconds_train"] = solo["recipe"].map({"old": 6.0, "new": 3.0})
        both = pd.concat([table, solo], ignore_index=True)
        return pooled(claims_table(both, found, curves=curves_of(courses)), claim="asked")

    return ask


def test_seconds_are_epochs_times_those_of_an_epoch_alone(alone):
    row = alone("old", "new")
    assert (row["baseline_mean"], row["treatment_mean"]) == pytest.approx((3.0, 1.5))


def test_without_a_training_alone_there_are_no_seconds(alone):
    row = alone("old")
    assert (row["pairs"], row["without_value"]) == (0, 6)
