"""Unknown results are NaN and `inconclusive`, never a wrong number."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest

from manyseeds.statistics import (
    cherries_table,
    claims_table,
    comparisons_table,
    confession_table,
    published_table,
    specification_table,
    summary_table,
    variance_table,
)

TABLES = (
    cherries_table, claims_table, comparisons_table, confession_table, published_table,
    specification_table, summary_table, variance_table,
)  # fmt: skip
RATIO = """
[[claims]]
name = "ratio"
sentence = "Twice as good."
estimand = "ratio"
treatment = "new"
baseline = "old"
least_effect = 2
"""
CHANCE = """
[[claims]]
name = "chance"
sentence = "Mostly better."
estimand = "probability_of_improvement"
treatment = "new"
baseline = "old"
least_effect = 0.25
"""
SAME = """
[[claims]]
name = "same"
sentence = "No difference."
estimand = "equivalence"
treatment = "new"
baseline = "old"
least_effect = 0.01
"""
ORDER = """
[[recipes]]
name = "newest"
phases = [{ use = "p", rate = 3e-3 }]
[[claims]]
name = "order"
sentence = "Each is better than the last."
estimand = "ordering"
recipes = ["newest", "new", "old"]
least_effect = 0.5
"""
BOUND = """
[[claims]]
name = "bound"
sentence = "More than nine of ten."
estimand = "threshold"
recipe = "new"
threshold = 0.9
least_effect = 0.01
"""
GOOD = [0.90, 0.91, 0.92, 0.93, 0.94, 0.95]
NAN, INF = float("nan"), float("inf")
CASES = {
    "no records": {},
    "one seed": {"old": [0.9], "new": [0.95], "newest": [0.97]},
    "one seed without a number": {"old": [NAN], "new": [NAN], "newest": [NAN]},
    "all ties": {"old": [0.9] * 6, "new": [0.9] * 6, "newest": [0.9] * 6},
    "no errors at all": {"old": [1.0] * 6, "new": [1.0] * 6, "newest": [1.0] * 6},
    "all diverged": {"old": ["diverged"] * 6, "new": ["diverged"] * 6},
    "all failed": {"old": ["failed"] * 6, "new": ["failed"] * 6, "newest": ["failed"] * 6},
    "one recipe missing": {"old": GOOD},
    "no seed in common": {
        "old": GOOD[:3] + ["missing"] * 3,
        "new": ["missing"] * 3 + GOOD[:3],
        "newest": GOOD,
    },
    "numbers that are none": {"old": GOOD, "new": [NAN, INF, -INF, NAN, INF, -INF]},
    "infinite metrics": {"old": [INF] * 6, "new": GOOD, "newest": [-INF] * 6},
}


@pytest.fixture
def asked(suite):
    return suite(more=RATIO + CHANCE + SAME + ORDER + BOUND)


@pytest.fixture
def made(records):
    def make(cells):
        return records({(name, "5-6", "jax"): values for name, values in cells.items()})

    return make


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_computed_without_a_warning(asked, made, table, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        found = table(made(CASES[name]), asked)
    assert isinstance(found, pd.DataFrame)


@pytest.mark.parametrize(
    "name",
    ["no records", "one seed without a number", "all failed", "one recipe missing",
     "no seed in common", "numbers that are none"],
)  # fmt: skip
def test_without_pairs_there_is_no_number_and_no_verdict(asked, made, name):
    table = claims_table(made(CASES[name]), asked)
    # A threshold asks for one recipe alone.
    table = table[table["claim"] != "bound"]
    assert (table["pairs"] == 0).all()
    assert (table["verdict"] == "inconclusive").all()
    numbers = ["improvement", "low", "high", "sd", "p_sign_flips", "p_wilcoxon", "factor_reached"]
    assert table[numbers].isna().all(axis=None)


def test_infinite_metrics_are_lost_pairs(asked, made):
    table = claims_table(made(CASES["infinite metrics"]), asked).set_index(["claim", "backend"])
    for claim in ("better", "ratio", "chance", "same", "order"):
        assert (table.loc[claim, "pairs"] == 0).all()
        assert (table.loc[claim, "lost"] == 6).all()
    assert table.loc[("bound", "all"), "pairs"] == 6


def test_one_seed_has_its_number_and_no_interval(asked, made):
    table = claims_table(made(CASES["one seed"]), asked)
    assert (table["pairs"] == 1).all()
    assert (table["verdict"] == "inconclusive").all()
    assert table["improvement"].notna().all()
    exact = table["claim"] == "chance"  # the exact interval of one seed has nearly all shares
    assert table.loc[~exact, ["low", "high", "sd"]].isna().all(axis=None)
    assert (table.loc[exact, "high"] - table.loc[exact, "low"] > 0.9).all()


def test_ties_settle_only_that_nothing_differs(asked, made):
    table = claims_table(made(CASES["all ties"]), asked)
    verdicts = table[table["backend"] == "all"].set_index("claim")["verdict"]
    assert verdicts.to_dict() == {
        "better": "negligible", "ratio": "negligible", "chance": "inconclusive", "same": "holds",
        "order": "negligible", "bound": "negligible",
    }  # fmt: skip
    assert (table["p_sign_flips"][table["claim"] != "bound"] == 1).all()


def test_two_recipes_without_errors_have_no_ratio(asked, made):
    table = claims_table(made(CASES["no errors at all"]), asked)
    ratio = table[table["claim"] == "ratio"]
    assert ratio[["improvement", "low", "high"]].isna().all(axis=None)
    assert (ratio["verdict"] == "inconclusive").all()


def test_when_all_diverged_nothing_differs_but_nothing_was_trained(asked, made):
    table = claims_table(made(CASES["all diverged"]), asked)
    better = table[table["claim"] == "better"]
    assert (better["verdict"] == "negligible").all()
    assert (better["diverged"] == 6).all()
    assert (better["trained_pairs"] == 0).all()
    assert better[["trained_improvement", "trained_low", "trained_high"]].isna().all(axis=None)


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_value_that_is_not_finite_changes_only_the_count(asked, made, bad, place):
    new = [value + 0.03 + 0.001 * seed for seed, value in enumerate(GOOD)]
    without = [each[:place] + each[place + 1 :] for each in (GOOD, new)]
    with_bad = [*new[:place], bad, *new[place + 1 :]]
    numbers = ["pairs", "improvement", "low", "high", "sd", "verdict", "p_sign_flips"]
    found = claims_table(made({"old": GOOD, "new": with_bad}), asked)
    expected = claims_table(made(dict(zip(("old", "new"), without, strict=True))), asked)
    for claim in ("better", "ratio", "chance", "same"):
        here, there = (
            table[table["claim"] == claim][numbers].reset_index(drop=True)
            for table in (found, expected)
        )
        pd.testing.assert_frame_equal(here, there)
    assert (found["lost"][found["claim"] == "better"] == 1).all()


def test_intervals_stay_where_the_quantity_can_be(asked, made):
    values = [0.2, 0.5, 0.99, 1.0, 1.0]
    cells = {"old": values, "new": values[::-1], "newest": [0.1, 0.9, 0.95, 1.0, 1.0]}
    summary = summary_table(made(cells), asked)
    for name, bound in itertools.product(("accuracy", "error"), ("low", "high")):
        assert summary[f"{name}_{bound}"].between(0, 1).all()
    order = claims_table(made(cells), asked).set_index("claim").loc["order"]
    assert (order[["low", "high", "family_low", "family_high"]].abs() <= 1).all(axis=None)


def test_a_duplicate_row_is_refused(asked, made):
    once = made({"old": GOOD, "new": GOOD})
    with pytest.raises(ValueError, match="twice"):
        claims_table(pd.concat([once, once.iloc[:1]], ignore_index=True), asked)


def test_the_order_of_records_does_not_matter(asked, made):
    rng = np.random.default_rng(0)
    cells = {name: list(rng.normal(mean, 0.01, 12)) for name, mean in
             (("old", 0.9), ("new", 0.91), ("newest", 0.92))}  # fmt: skip
    records = made(cells)
    shuffled = records.sample(frac=1, random_state=1).reset_index(drop=True)
    pd.testing.assert_frame_equal(claims_table(records, asked), claims_table(shuffled, asked))
