"""Synthetic runs and their report, rendered once for the tests that only look at it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import synthetic

from manyseeds.report import render

OVER_ALL = ("index", "techniques")


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Return the folder of a report on a whole small run, and its ledger."""
    folder = tmp_path_factory.mktemp("small")
    ledger = synthetic.write(folder / "results", synthetic.World(text=synthetic.SMALL))
    render([ledger], folder / "out")
    return folder / "out", ledger


@pytest.fixture(scope="session")
def several(tmp_path_factory):
    """Return the folder of a report on two suites: a full one, and one quick, of no effect."""
    folder = tmp_path_factory.mktemp("several")
    other = synthetic.SMALL.replace('name = "small"', 'name = "other"')
    other = other.replace("A small suite", "Another suite") + "[quick]\nseeds = 6\n"
    worlds = [
        synthetic.World(text=synthetic.SMALL, curves=False),
        synthetic.World(
            text=other,
            run="b",
            quick=True,
            backends=("jax",),
            curves=False,
            change=lambda key: {"test_accuracy": 0.9},
        ),
    ]
    ledgers = [synthetic.write(folder / "results", world) for world in worlds]
    render(ledgers, folder / "out", ["html", "md", "csv", "latex"])
    return folder / "out"


@pytest.fixture
def rendered(tmp_path):
    """Return a function that writes worlds, renders them and returns the suite's HTML page."""

    def make(*worlds, out="out"):
        ledgers = [synthetic.write(tmp_path / "results", world) for world in worlds]
        pages = render(ledgers, tmp_path / out).pages
        (page,) = (p for p in pages if p.suffix == ".html" and p.stem not in OVER_ALL)
        return page.read_text(encoding="utf-8")

    return make
