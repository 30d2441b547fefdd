"""The confession curve: the best of k seeds, with the published figures as lines."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from manyseeds.claims import Claim
from manyseeds.report.figures import theme
from manyseeds.report.figures.distribution import axis_label, published_label
from manyseeds.report.rows import rows_of
from manyseeds.report.wording import Unit, backend_name, claim_unit
from manyseeds.statistics.bootstrap import Floats
from manyseeds.statistics.pairs import ALL


def confession_figure(
    claim: Claim, curves: pd.DataFrame, published: pd.DataFrame, name: str
) -> theme.Drawn:
    """Draw a claim's rows of `confession_table` and of `published_table`."""
    kinds = list(dict.fromkeys(curves["quantity"]))
    with theme.style():
        figure = theme.blank(2.9 * len(kinds) + 0.4)
        panels = figure.subplots(len(kinds), 1, squeeze=False)[:, 0]
        for axes, quantity in zip(panels, kinds, strict=True):
            rows = published[(published["quantity"] == quantity) & (published["backend"] == ALL)]
            _panel(axes, curves[curves["quantity"] == quantity], rows, claim_unit(claim))
        _legend(figure, panels[0])
        return theme.drawn(figure, name, "The confession curve: the best of k seeds", _READING)


def _panel(axes: Axes, curves: pd.DataFrame, published: pd.DataFrame, shown: Unit) -> None:
    quantity = curves["quantity"].iloc[0]
    scale = 1.0 if quantity == "factor" else shown.factor
    together = curves[curves["backend"] == ALL]
    column = told(together)
    backends = [name for name in dict.fromkeys(curves["backend"]) if name != ALL]
    tones = theme.colours(backends)
    band = together[np.isfinite(together["high"])]
    axes.fill_between(
        band["k"], scale * band["low"], scale * band["high"],
        color=theme.MUTED, alpha=0.18, lw=0, label="middle 80 % of searches",
    )  # fmt: skip
    for name in backends:
        one = curves[curves["backend"] == name]
        axes.plot(
            one["k"], scale * one[column], color=tones[name], lw=1.2, label=backend_name(name)
        )
    axes.plot(together["k"], scale * together[column], color=theme.INK, lw=2.2, label="mean")
    heights = scale * np.array([*together["low"], *together["high"], *curves[column]], float)
    _published(axes, together, published, heights, shown)
    axes.set_xscale("log")
    last = max(int(together["k"].max()), 2)
    ticks = [k for k in (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if k <= last]
    axes.set_xticks(ticks, [str(k) for k in ticks])
    axes.minorticks_off()
    axes.set_xlim(1, last)
    axes.set_xlabel("k: seeds tried, the best one reported")
    middle = "Median best" if column == "median" else "Expected best"
    axes.set_ylabel(axis_label(str(quantity), shown))
    axes.set_title(f"{middle} {'factor' if quantity == 'factor' else 'improvement'}")


def told(curve: pd.DataFrame) -> str:
    """Return which column stands for a search: the median where the mean is infinite."""
    return "expected" if np.isfinite(curve["expected"]).all() else "median"


def tries_needed(curve: pd.DataFrame, column: str, figure: float) -> int | None:
    """Return the least k whose best reaches a figure; None if not even all seeds do."""
    reaching = curve.loc[curve[column] >= figure - 1e-12, "k"]
    return int(reaching.min()) if len(reaching) else None


def _published(
    axes: Axes, together: pd.DataFrame, published: pd.DataFrame, heights: Floats, shown: Unit
) -> None:
    column = told(together)
    labels = []
    for row in rows_of(published):
        figure = float(row["figure"])
        scale = 1.0 if row["quantity"] == "factor" else shown.factor
        axes.axhline(scale * figure, color=theme.INK, lw=1.0, ls="--")
        needed = tries_needed(together, column, figure)
        reach = f"k = {needed}" if needed else f"beyond k = {together['k'].max()}"
        labels.append((scale * figure, published_label(row, shown, reach)))
    limits = theme.padded([*heights, *(place for place, _ in labels)])
    theme.margin_labels(axes, labels, *limits)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(5, len(names)))


_READING = (
    "How to read this figure: someone who trains k seeds and reports only the best one would, on "
    "average, report the height of the curve at k. At k = 1 nothing is selected, and the curve is "
    "the honest mean. A dashed line is a published figure; the k after its name is how many seeds "
    "one has to try to report it on average. Towards the right every search finds the best of our "
    "seeds, so that the band closes."
)
