"""Holm's step-down, against statsmodels' for decisions by p-values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from manyseeds.check.step_down import step_down


def rejected(p_values, alpha=0.05):
    """Reject hypotheses whose p-value is at most one minus the coverage."""
    decisions = step_down(
        range(len(p_values)),
        lambda places, level: {place: p_values[place] <= 1 - level for place in places},
        level_among=lambda count: 1 - alpha / count,
        settled=bool,
    )
    return [decisions[place] for place in range(len(p_values))]


@given(st.lists(st.floats(0, 0.1), min_size=1, max_size=12))
def test_it_rejects_what_holms_procedure_rejects(p_values):
    expected = multipletests(p_values, 0.05, method="holm")[0].tolist()
    borderline = any(abs(p * k - 0.05) < 1e-9 for p in p_values for k in range(1, 13))
    assert borderline or rejected(p_values) == expected


@pytest.mark.parametrize(("p_values", "levels"), [([0.01, 0.03, 0.9], [3, 2]), ([0.9, 0.9], [2])])
def test_settled_comparisons_leave_room_until_nothing_more_is_settled(p_values, levels):
    seen = []

    def judge(places, level):
        seen.append(len(places))
        return {place: p_values[place] <= 1 - level for place in places}

    step_down(range(len(p_values)), judge, level_among=lambda n: 1 - 0.05 / n, settled=bool)
    assert seen == levels


def test_no_comparisons_need_no_decision():
    assert step_down([], lambda *_: {}, level_among=float, settled=bool) == {}
