"""Synthetic runs and their report, rendered once for the tests that only look at it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import synthetic

from manyseeds.report import render


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Return the folder of a report on a whole small run, and its ledger."""
    folder = tmp_path_factory.mktemp("small")
    ledger = synthetic.write(folder / "results", synthetic.World(text=synthetic.SMALL))
    render([ledger], folder / "out")
    return folder / "out", ledger


@pytest.fixture
def rendered(tmp_path):
    """Return a function that writes worlds, renders them and returns the only HTML page."""

    def make(*worlds, out="out"):
        ledgers = [synthetic.write(tmp_path / "results", world) for world in worlds]
        pages = render(ledgers, tmp_path / out)
        (page,) = (path for path in pages if path.suffix == ".html")
        return page.read_text(encoding="utf-8")

    return make
