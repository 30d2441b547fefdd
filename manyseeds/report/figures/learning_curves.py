"""Learning curves: the median seed and the middle 80 %, with the phases marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from manyseeds.presentation import theme

_MEASURES = {
    "valid_accuracy": ("Validation accuracy, %", 100.0),
    "train_loss": ("Training loss", 1.0),
}
_QUANTILES = np.array([0.1, 0.5, 0.9])


def curves_figure(curves: pd.DataFrame, recipes: Sequence[str], name: str) -> theme.RenderedFigure:
    """Draw the curves of some recipes: a column each, accuracy above, loss below.

    `curves` holds ordinary rows of the recipes to draw, in one case each.
    """
    measures = {m: label for m, label in _MEASURES.items() if curves[m].notna().any()}
    backends = list(dict.fromkeys(curves["backend"]))
    with theme.style():
        figure = theme.blank(2.4 * len(measures) + 0.7)
        grid = figure.subplots(
            len(measures), len(recipes), sharex="col", sharey="row", squeeze=False
        )
        for column, recipe in enumerate(recipes):
            part = curves[curves["recipe"] == recipe]
            for row, (measure, (label, scale)) in enumerate(measures.items()):
                axes = grid[row][column]
                _panel(axes, part, measure, scale, backends)
                axes.set_ylabel(label if column == 0 else "")
            grid[0][column].set_title(recipe, pad=32)
            _phases(grid[0][column], part, named=True)
            for axes in grid[1:, column]:
                _phases(axes, part, named=False)
            grid[-1][column].set_xlabel("Epoch")
        handles, names = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=4)
        return theme.rendered(figure, name, "Learning curves", _CAPTION)


def _panel(
    axes: Axes, part: pd.DataFrame, measure: str, scale: float, backends: Sequence[str]
) -> None:
    for backend in backends:
        rows = part[part["backend"] == backend]
        bands = rows.groupby("epoch")[measure].quantile(_QUANTILES).unstack() * scale
        if bands.empty:
            continue
        ends = rows.groupby("phase")["epoch"].max()
        bands = bands.reindex(sorted([*bands.index, *(ends + 0.5)]))  # a gap between phases
        theme.band(axes, bands, backend, backends)
    axes.margins(x=0.01)


def _phases(axes: Axes, part: pd.DataFrame, *, named: bool) -> None:
    """Mark the start of each phase, and name it above the axes."""
    starts = part.groupby("phase", sort=False)["epoch"].agg(["min", "max"]).sort_values("min")
    for number, (phase, first, last) in enumerate(starts.itertuples()):
        if number:
            axes.axvline(first - 0.5, color=theme.MUTED, lw=0.9, ls=":")
        if named:
            axes.text(
                (first + last) / 2, 1.02 + 0.09 * (number % 2), str(phase),
                transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=8.5,
                color=theme.MUTED,
            )  # fmt: skip


_CAPTION = (
    "How to read this figure: the line is the median seed at each epoch, the band holds the "
    "middle 80 % of the seeds. Dotted lines mark where the next phase of a recipe starts; a phase "
    "that learns another task is scored on that task's own validation images."
)
