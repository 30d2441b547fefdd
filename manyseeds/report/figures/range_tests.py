"""Range tests: the loss against the growing learning rate, and the rates it suggests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from manyseeds.presentation import theme
from manyseeds.statistics.range_tests import RULES

_RULE_NAMES = {
    "turning_point": "where it turns",
    "tenth": "a tenth of that",
    "largest": "before it diverges",
    "half": "half of that",
}
_CEILING = 1.6
"""Losses are drawn up to this many times the first."""


def range_tests_figure(
    steps: pd.DataFrame, table: pd.DataFrame, recipes: Sequence[str], name: str
) -> theme.RenderedFigure:
    """Draw the losses of each recipe's range test, and below them the rates of each rule.

    `steps` and `table` are `range_test_steps` and `range_tests_table` of these recipes.
    """
    backends = list(dict.fromkeys(table["backend"]))
    with theme.style():
        figure = theme.blank(4.6)
        grid = figure.subplots(2, len(recipes), sharex="col", squeeze=False, height_ratios=(3, 1.5))
        for column, recipe in enumerate(recipes):
            _losses(grid[0][column], steps[steps["recipe"] == recipe], backends)
            _rates(grid[1][column], table[table["recipe"] == recipe], backends)
            grid[0][column].set_title(recipe)
            grid[1][column].set_xlabel("Learning rate")
            if column:
                grid[1][column].set_yticklabels([])
        grid[0][0].set_ylabel("Training loss, smoothed")
        handles, names = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=4)
        return theme.rendered(figure, name, "Learning-rate range tests", _CAPTION)


def _losses(axes: Axes, steps: pd.DataFrame, backends: Sequence[str]) -> None:
    for backend in backends:
        rows = steps[steps["backend"] == backend]
        bands = rows.groupby("rate")["smoothed"].quantile(np.array([0.1, 0.5, 0.9])).unstack()
        theme.band(axes, bands, backend, backends)
    first = steps.loc[steps["step"] == 0, "loss"].median()
    axes.set_ylim(0, _CEILING * first)
    axes.set_xscale("log")
    theme.logarithmic(axes.xaxis)


def _rates(axes: Axes, table: pd.DataFrame, backends: Sequence[str]) -> None:
    """Draw each rule's rate in a row of its own: the median seed and the middle 80 %."""
    tones, marks = theme.colours(backends), theme.markers(backends)
    for place, rule in enumerate(RULES):
        for number, backend in enumerate(backends):
            row = table[(table["rule"] == rule) & (table["backend"] == backend)]
            if row.empty:
                continue
            low, middle, high = row[["low", "median", "high"]].iloc[0]
            y = place + 0.22 * (number - (len(backends) - 1) / 2)
            axes.plot([low, high], [y, y], color=tones[backend], lw=1.6)
            axes.plot(middle, y, color=tones[backend], marker=marks[backend], ms=5, ls="")
    axes.set_yticks(range(len(RULES)), [_RULE_NAMES[rule] for rule in RULES])
    axes.set_ylim(len(RULES) - 0.5, -0.5)


_CAPTION = (
    "How to read this figure: the rate grows a little with every step of one training; above, the "
    "smoothed loss of the median seed, with a band for the middle 80 % of the seeds; a line ends "
    "where the loss is not a number. Below, the rates that the book's two rules suggest, and the "
    "rates they start from: the marker is the median seed, the line the middle 80 %."
)
