"""Inside the networks: a quantity by layer, before and after training."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from manyseeds.presentation import theme
from manyseeds.presentation.wording import backend_name

_QUANTITIES = {
    "output_mean": "Mean output",
    "output_sd": "Sd of outputs",
    "training_mean": "Mean, dropping",
    "training_sd": "Sd, dropping",
    "gradient_norm": "Gradient norm",
    "dead": "Dead units",
}
_LOGARITHMIC = {"gradient_norm"}
_WIDE = 15
"""Number of characters in a line of a heading."""
_MANY = 50
"""Layers beyond which lines are drawn thin."""
_OF_OUTPUTS = {"gradient_norm"}
"""Quantities drawn for the output layer too: its outputs are of another kind than the others'."""


def layers_figure(table: pd.DataFrame, recipes: Sequence[str], name: str) -> theme.RenderedFigure:
    """Draw a row for each quantity recorded and a column for each recipe.

    `table` is `manyseeds.statistics.layers_table` of these recipes, in one case each.
    """
    output = table["depth"] == table.groupby(["recipe", "backend"])["depth"].transform("max")
    table = table[~output | table["quantity"].isin(_OF_OUTPUTS)]
    present = set(table["quantity"])
    quantities = [name for name in _QUANTITIES if name in present]
    backends = list(dict.fromkeys(table["backend"]))
    trained = bool(table["epoch"].max() > 0)
    with theme.style():
        figure = theme.blank(1.5 * len(quantities) + 0.9)
        grid = figure.subplots(
            len(quantities), len(recipes), sharex="col", sharey="row", squeeze=False
        )
        for column, recipe in enumerate(recipes):
            for row, quantity in enumerate(quantities):
                axes = grid[row][column]
                axes.set_ylabel(_QUANTITIES[quantity] if column == 0 else "", fontsize=8.5)
                part = table[(table["recipe"] == recipe) & (table["quantity"] == quantity)]
                if part.empty:
                    _empty(axes)
                    continue
                _panel(axes, part, backends, trained=trained)
            grid[0][column].set_title(theme.wrapped(recipe, _WIDE), fontsize=9)
            filled = [axes for axes in grid[:, column] if axes.lines]
            filled[-1].set_xlabel("Layer")
            filled[-1].tick_params(axis="x", labelbottom=True)
        for axes, quantity in zip(grid[:, 0], quantities, strict=True):
            if quantity in _LOGARITHMIC:
                axes.set_yscale("log")
                axes.set_ylim(axes.get_ylim())
                theme.logarithmic(axes.yaxis, each=True)
        figure.align_ylabels(grid[:, 0])
        figure.legend(handles=_keys(backends, trained=trained), loc="outside lower center", ncols=5)
        return theme.rendered(figure, name, "Inside the networks", _CAPTION)


def _panel(axes: Axes, part: pd.DataFrame, backends: Sequence[str], *, trained: bool) -> None:
    """Draw a line per backend; dotted is before training, if any network was trained."""
    tones = theme.colours(backends)
    thin = 0.5 if part["depth"].max() > _MANY else 1.0
    for number, backend in enumerate(backends):
        rows = part[part["backend"] == backend].sort_values("depth")
        for epoch in sorted(rows["epoch"].unique()):
            line = rows[rows["epoch"] == epoch]
            axes.plot(
                line["depth"], line["median"], color=tones[backend],
                lw=thin * (2.6 - 0.8 * min(number, 2)), ls=":" if trained and epoch == 0 else "-",
            )  # fmt: skip
    axes.tick_params(labelsize=7.5)
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def _empty(axes: Axes) -> None:
    """Say that a recipe lacks a quantity, instead of an empty panel."""
    axes.text(
        0.5, 0.5, "not recorded", transform=axes.transAxes, ha="center", va="center", fontsize=8,
        color=theme.MUTED,
    )  # fmt: skip
    axes.grid(visible=False)
    axes.tick_params(length=0, labelleft=False, labelbottom=False)
    for side in axes.spines.values():
        side.set_visible(False)


def _keys(backends: Sequence[str], *, trained: bool) -> list[Line2D]:
    tones = theme.colours(backends)
    keys = [Line2D([], [], color=tones[name], lw=2, label=backend_name(name)) for name in backends]
    if trained:
        keys.append(Line2D([], [], color=theme.MUTED, ls=":", label="before training"))
        keys.append(Line2D([], [], color=theme.MUTED, ls="-", label="after training"))
    return keys


_CAPTION = (
    "How to read this figure: each line is the median seed, layer by layer from the input: dotted "
    "before training, solid after the last epoch (all solid if no network was trained, no solid "
    "line if every training diverged). The output layer is drawn for gradients only. Means and "
    "standard deviations are taken over the training rows and averaged over the layer's units; a "
    "dead unit is 0 for every training row."
)
