"""The address of a page follows from the suite's name and form alone."""

import pytest
import synthetic
from synthetic import SMALL, World

from manyseeds.errors import RequestError
from manyseeds.report import render


def test_a_quick_form_has_the_same_address_whether_the_full_form_is_there_or_not(tmp_path):
    text = SMALL + "[quick]\nseeds = 6\n"
    full = synthetic.write(tmp_path / "results", World(text, "a", False, ("jax",), curves=False))
    quick = synthetic.write(tmp_path / "results", World(text, "b", True, ("jax",), curves=False))
    render([quick], tmp_path / "alone", ["csv"])
    render([full, quick], tmp_path / "both", ["csv"])
    assert {path.name for path in tmp_path.glob("alone/*/")} == {"small-quick"}
    assert {path.name for path in tmp_path.glob("both/*/")} == {"small", "small-quick"}
    alone, both = (tmp_path / name / "small-quick" / "claims.csv" for name in ("alone", "both"))
    assert alone.read_bytes() == both.read_bytes()


def test_two_suites_that_capital_letters_tell_apart_are_refused(tmp_path):
    other = SMALL.replace('name = "small"', 'name = "Small"')
    worlds = [World(SMALL, "a", curves=False), World(other, "b", curves=False)]
    ledgers = [synthetic.write(tmp_path / "results", world) for world in worlds]
    with pytest.raises(RequestError, match="'Small' and 'small' would be one file"):
        render(ledgers, tmp_path / "out", ["csv"])
