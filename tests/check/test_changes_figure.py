"""The figure of a check shades the changes that do not count, row by row."""

import math

import pytest
from matplotlib.collections import PolyCollection

from manyseeds.check.changes_figure import changes_figure
from manyseeds.check.findings import Finding
from manyseeds.check.rows import Row
from manyseeds.presentation import theme


def finding(layer, subject, unit, size, least):
    return Finding(
        Row(layer, "jax", subject), "changed", "worse", size, unit=unit, least_effect=least
    )


SLOWER = finding("time", "adam step", "ratio", 1.3, 0.1)
COMPILES = finding("time", "compile", "ratio", 1.2, 0.25)
WORSE = finding("accuracy", "gate/adam/test_accuracy", "share", -0.02, 0.005)
MOVED = finding("numerics", "adam", "relative error", 1e-3, 1e-9)


@pytest.fixture
def drawn(monkeypatch):
    """Return a function that draws findings and returns the figure of Matplotlib."""
    figures = []
    monkeypatch.setattr(theme, "rendered", lambda figure, *text: figures.append((figure, *text)))

    def draw(*findings, **how):
        changes_figure(findings, **how)
        return figures[-1]

    return draw


def bands(axes):
    """Return the shaded bands of a panel: by height, from and to."""
    found = {}
    for band in axes.collections:
        if isinstance(band, PolyCollection):
            points = band.get_paths()[0].vertices
            x, y = points[:, 0], points[:, 1]
            found[round((y.min() + y.max()) / 2)] = (x.min(), x.max())
    return found


def test_each_time_has_the_band_of_its_own_least_effect(drawn):
    figure, *_ = drawn(SLOWER, COMPILES)
    (axes,) = figure.axes
    assert bands(axes) == {
        0: pytest.approx((1 / 1.1, 1.1)),
        1: pytest.approx((1 / 1.25, 1.25)),
    }


def test_accuracies_have_the_band_of_their_suite_in_points(drawn):
    figure, *_ = drawn(WORSE)
    (axes,) = figure.axes
    assert bands(axes) == {0: pytest.approx((-0.5, 0.5))}


def test_numerics_have_a_line_instead(drawn):
    figure, *_ = drawn(MOVED)
    (axes,) = figure.axes
    assert bands(axes) == {}
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"] == [1e-9]


def test_the_figure_is_called_changes_and_names_both_sides(drawn):
    _, name, title, _ = drawn(SLOWER)
    assert (name, title) == ("changes", "Since the baseline")
    _, _, title, _ = drawn(SLOWER, title="left → right")
    assert title == "left → right"


def test_nothing_to_draw_is_no_figure():
    assert changes_figure([finding("time", "x", "ratio", math.nan, 0.1)]) is None
