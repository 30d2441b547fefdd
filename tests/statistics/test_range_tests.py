"""Range tests in a ledger: what each seed's curve suggests."""

import numpy as np
import pandas as pd
import pytest

from manyseeds.statistics import range_test_steps, range_tests_table
from manyseeds.techniques.range_test import suggestion

STEPS = 200
RATE = np.geomspace(1e-5, 10, STEPS)


@pytest.fixture
def suite(suite):
    return suite()


@pytest.fixture
def diagnostics(suite):
    """A range test of two seeds on a backend, whose loss turns at other rates."""
    vary = "+".join(suite.varied)
    rows = []
    for seed, turn in enumerate((0.05, 0.2)):
        loss = 2.3 - np.minimum(RATE, turn) / turn + np.maximum(RATE - turn, 0) * 40
        loss[150:] = np.nan if seed else loss[150:]
        for quantity, values in (("rate", RATE), ("loss", loss)):
            rows += [
                ("scratch", "", "jax", "cohort", vary, seed, "phase", 1, step, "", quantity, value)
                for step, value in enumerate(values)
            ]
    columns = "recipe case backend mode vary seed phase epoch step layer quantity value"
    return pd.DataFrame(rows, columns=columns.split())


def test_each_rule_is_that_of_each_seed_s_curve(diagnostics, suite):
    table = range_tests_table(diagnostics, suite).set_index("rule")
    loss = diagnostics[diagnostics["quantity"] == "loss"]
    found = [suggestion(RATE, rows["value"].to_numpy(float)) for _, rows in loss.groupby("seed")]
    assert set(table["seeds"]) == {2}
    for rule, row in table.iterrows():
        rates = [getattr(one, rule) for one in found]
        assert row["median"] == pytest.approx(np.median(rates))
        assert row["low"] == pytest.approx(np.quantile(rates, 0.1))
    assert table.loc["tenth", "median"] == pytest.approx(table.loc["turning_point", "median"] / 10)
    assert table.loc["half", "high"] == pytest.approx(table.loc["largest", "high"] / 2)


def test_the_steps_are_in_order_and_losses_that_are_no_numbers_stay_missing(diagnostics, suite):
    steps = range_test_steps(diagnostics.sample(frac=1, random_state=0), suite)
    assert len(steps) == 2 * STEPS
    for seed, rows in steps.groupby("seed"):
        np.testing.assert_allclose(rows["rate"], RATE)
        assert rows["smoothed"].isna().sum() == (50 if seed else 0)


def test_without_a_range_test_there_is_no_row(diagnostics, suite):
    none = diagnostics.assign(step=None)
    assert range_tests_table(none, suite).empty
    assert range_tests_table(diagnostics.iloc[:0], suite).empty
