"""The tiny suite of the tests, and its error messages after a mistake."""

from pathlib import Path

import pytest

from manyseeds.errors import RequestError
from manyseeds.suite.reader import parse_suite

TINY = (Path(__file__).parents[1] / "tiny.toml").read_text(encoding="utf-8")

VARIANCE = '[variance]\nrecipes = ["scratch"]\nstreams = ["init"]\nseeds = 2\n'


def mistake(*changes, quick=False):
    """Return the error message for the tiny suite after changes that make it invalid."""
    text = TINY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(RequestError) as refused:
        parse_suite(text, "tiny.toml", quick=quick)
    assert refused.value.exit_status == 2
    return str(refused.value)
