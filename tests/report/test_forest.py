"""The forest of cases: on the scale of the page, around no effect; an unknown interval is not 0."""

import numpy as np
import pandas as pd
import pytest

from manyseeds.presentation import theme
from manyseeds.presentation.wording import claim_unit
from manyseeds.report.figures.forest import forest_figure
from manyseeds.suite.claims import Difference, ProbabilityOfImprovement, Ratio

NAMED = {"name": "n", "sentence": "S", "treatment": "b", "baseline": "a"}
CLAIMS = {
    "difference": (Difference(**NAMED, least_effect=0.01), (0.02, 0.01, 0.03), 0.01),
    "ratio": (
        Ratio(**NAMED, estimand="ratio", least_effect=1.5),
        tuple(np.log([2.0, 1.25, 4.0])),
        float(np.log(1.5)),
    ),
    "probability": (
        ProbabilityOfImprovement(**NAMED, estimand="probability_of_improvement", least_effect=0.25),
        (0.3, 0.1, 0.4),
        0.25,
    ),
}
SHOWN = {
    "difference": ([2, 1, 3], 0, [-1, 1]),
    "ratio": ([2, 1.25, 4], 1, [1 / 1.5, 1.5]),
    "probability": ([80, 60, 90], 50, [25, 75]),
}


@pytest.fixture
def drawn(monkeypatch):
    """Return a function that draws a forest of one mark, and returns its axes."""
    figures = []
    original = theme.rendered

    def spy(figure, *arguments):
        figures.append(figure)
        return original(figure, *arguments)

    monkeypatch.setattr(theme, "rendered", spy)

    def draw(claim, effect, least):
        improvement, low, high = effect
        rows = pd.DataFrame(
            [
                {"case": "c", "backend": backend, "improvement": improvement, "low": low,
                 "high": high}
                for backend in ("jax", "all")
            ]
        )  # fmt: skip
        forest_figure([("one", rows)], "case", claim_unit(claim), least, "f", "Forest")
        return figures[-1].axes[0]

    return draw


@pytest.mark.parametrize("kind", CLAIMS)
def test_marks_intervals_and_the_band_are_in_the_pages_unit(drawn, kind):
    (middle, low, high), nothing, band = SHOWN[kind]
    axes = drawn(*CLAIMS[kind])
    mark, _, (bar,) = axes.containers[-1]
    assert mark.get_xdata() == pytest.approx([middle])
    assert bar.get_segments()[0][:, 0] == pytest.approx([low, high])
    lines = [line.get_xdata() for line in axes.lines if len(set(line.get_xdata())) == 1]
    assert any(list(line) == pytest.approx([nothing] * 2) for line in lines if len(line) == 2)
    start, width = axes.patches[0].get_x(), axes.patches[0].get_width()
    assert [start, start + width] == pytest.approx(band)


def test_an_unknown_interval_is_not_drawn_as_one_of_no_width(drawn):
    axes = drawn(CLAIMS["difference"][0], (0.02, np.nan, np.nan), 0.01)
    _, _, (bar,) = axes.containers[-1]
    assert [point for segment in bar.get_segments() for point in segment] == []
