"""Names of rows: taken apart and put together, and matched by patterns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyseeds.check.rows import LAYERS, Row, RowPattern

NAMES = st.text(min_size=1).filter(lambda text: "/" not in text)


@given(st.sampled_from(LAYERS), NAMES, st.text())
def test_a_name_taken_apart_is_the_row_it_was_made_from(layer, backend, subject):
    row = Row(layer, backend, subject)
    assert Row.parse(str(row)) == row


def test_a_subject_may_have_several_parts():
    row = Row.parse("accuracy/jax/gate/adam/5-6")
    assert (row.backend, row.subject) == ("jax", "gate/adam/5-6")
    assert row.parts == ("gate", "adam", "5-6")
    assert str(row.part("test_loss")) == "accuracy/jax/gate/adam/5-6/test_loss"


@pytest.mark.parametrize(
    "name", ["", "numerics", "numerics/jax", "weather/jax/nadam", "/jax/nadam"]
)
def test_a_name_without_three_parts_or_of_no_layer_is_refused(name):
    with pytest.raises(ValueError, match=f"^{name!r} "):
        Row.parse(name)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("time/jax/adam step", True),
        ("time/*", True),
        ("*/adam step", True),
        ("time/[ijk]ax/*", True),
        ("time/jax/adam", False),
        ("numerics/*", False),
    ],
)
def test_a_pattern_matches_whole_names(pattern, matches):
    assert RowPattern(pattern).matches(Row("time", "jax", "adam step")) is matches


@pytest.mark.parametrize(
    ("pattern", "possible"),
    [
        ("time/jax/adam", True),
        ("t*", True),
        ("*", True),
        ("time/j?x/*", True),
        ("time/tf/*", False),
    ],
)
def test_a_pattern_says_which_layers_and_backends_it_could_match(pattern, possible):
    assert RowPattern(pattern).may_match("time", "jax") is possible
