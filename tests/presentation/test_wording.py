"""Numbers, names, changes of suites and Markdown as people read them."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from manyseeds.presentation.markdown import markdown_escaped, markdown_table
from manyseeds.presentation.theme import spread
from manyseeds.presentation.wording import (
    duration,
    metric_unit,
    number,
    number_of,
    ordinal,
    p_value,
    percent,
    seconds,
    signed,
)
from manyseeds.report.suite_changes import changes


def test_accuracies_are_shown_in_per_cent_and_differences_in_points():
    assert metric_unit("test_accuracy").value(0.96534) == "96.53\u00a0%"
    assert metric_unit("test_accuracy").gain(0.0196) == "+1.96"
    assert metric_unit("test_accuracy").gain(-0.0105) == "\u22121.05"
    assert metric_unit("test_accuracy").points(0.01) == "1 point"
    assert metric_unit("test_accuracy").points(0.0025) == "0.25 points"
    assert metric_unit("test_accuracy").interval(-0.001, 0.002) == "\u22120.10 to 0.20"
    assert metric_unit("test_loss").value(0.25) == "0.2500"


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.nan, "–"), (math.inf, "∞"), (-1e-9, "0.00"), (-0.5, "\u22120.50"), (2, "2.00")],
)
def test_numbers_have_true_minus_signs_and_no_negative_zero(value, text):
    assert number(value, 2) == text


def test_zero_has_no_sign():
    assert signed(0.0001, 2) == "0.00"
    assert signed(0.01, 2) == "+0.01"


def test_small_shares_keep_a_decimal():
    found = [percent(x).removesuffix("\u00a0%") for x in (0, 0.004, 0.08, 0.35, 0.996, 1)]
    assert found == ["0", "0.4", "8", "35", "99.6", "100"]


def test_ordinals_reach_0_and_100_only_when_it_is_true():
    figures = (0, 0.2, 1, 2, 3, 11, 12, 22, 91.2, 99.8, 100)
    expected = "0th 1st 1st 2nd 3rd 11th 12th 22nd 91st 99th 100th"
    assert " ".join(map(ordinal, figures)) == expected


def test_seconds_have_three_digits():
    assert [seconds(x) for x in (0.0123, 1.234, 12.34, 123.4)] == ["0.012", "1.23", "12.3", "123"]


def test_durations_have_two_units():
    found = [duration(x).replace("\u00a0", " ") for x in (0.5, 12, 59.96, 185, 3720, 3599.7)]
    assert found == ["0.500 s", "12.0 s", "60.0 s", "3 min 05 s", "1 h 02 min", "60 min 00 s"]
    assert duration(math.nan) == "–"


def test_one_is_singular_and_every_other_number_plural():
    assert [number_of(n, "training") for n in (0, 1, 2, 1200)] == [
        "0 trainings", "1 training", "2 trainings", "1,200 trainings"
    ]  # fmt: skip


def test_p_values_are_never_zero():
    assert [p_value(x) for x in (0.0, 0.00009, 0.01234, 0.0625, 1.0)] == [
        "< 0.0001", "< 0.0001", "0.0123", "0.0625", "1"
    ]  # fmt: skip


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=12), st.floats(0.01, 2))
def test_labels_are_spread_in_order_and_never_nearer_than_a_line(places, gap):
    found = spread(sorted(places), gap)
    assert (np.diff(found) >= gap - 1e-9).all()
    if (np.diff(sorted(places)) >= gap).all():
        assert found == pytest.approx(sorted(places))


def test_an_amendment_names_the_key_and_both_values():
    before = 'seeds = 10\n[[claims]]\nname = "a"\nleast_effect = 0.01\n'
    after = 'seeds = 20\nlanes = 5\n[[claims]]\nname = "a"\nleast_effect = 0.01\n'
    assert changes(before, after) == ["seeds: 10 → 20", "lanes added: 5"]
    assert changes(after, "seeds = 20\n")[0] == "lanes removed: 5"
    assert changes(before, f"# a comment\n{before}") == ["only comments or layout differ"]
    many = "\n".join(f"key{n} = {n}" for n in range(30))
    assert changes("", many)[-1] == "and 18 more keys"


def test_markdown_leaves_names_readable_and_harmless():
    assert markdown_escaped("one_rate") == "one_rate"
    assert markdown_escaped("a|b\n<i>*c*") == "a\\|b &lt;i&gt;\\*c\\*"
    assert markdown_escaped(3) == 3


def test_a_markdown_table_aligns_numbers_and_escapes_names_but_not_markup():
    table = pd.DataFrame({"recipe": ["a|b", Markup("**c**")], "mean": ["0.98", "1"]}, dtype=object)
    lines = markdown_table(table, ["mean"]).splitlines()
    assert [line.split() for line in lines] == [
        ["|", "recipe", "|", "mean", "|"], ["|:---------|-------:|"],
        ["|", "a\\|b", "|", "0.98", "|"], ["|", "**c**", "|", "1", "|"],
    ]  # fmt: skip


def test_a_markdown_table_without_rows_has_its_heads():
    assert markdown_table(pd.DataFrame(columns=["a", "b"]), ["b"]).startswith("| a")
