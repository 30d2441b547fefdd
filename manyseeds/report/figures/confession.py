"""The confession curve: the best of k tries, with the published figures as lines."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from manyseeds.presentation import theme
from manyseeds.presentation.wording import Unit, backend_name, claim_unit
from manyseeds.report.figures.distribution import axis_label, published_label
from manyseeds.report.frame_rows import rows_of
from manyseeds.statistics.pairs import ALL
from manyseeds.suite.claims import Claim

_TICKS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 200_000)


def confession_figure(
    claim: Claim,
    curves: pd.DataFrame,
    published: pd.DataFrame,
    cherries: pd.DataFrame,
    name: str,
) -> theme.RenderedFigure:
    """Draw a claim's rows of `confession_table`, `published_table` and `cherries_table`."""
    kinds = list(dict.fromkeys(curves["quantity"]))
    with theme.style():
        figure = theme.blank(2.9 * len(kinds) + 0.6)
        panels = figure.subplots(len(kinds), 1, squeeze=False)[:, 0]
        for axes, quantity in zip(panels, kinds, strict=True):
            part = curves[curves["quantity"] == quantity]
            known = published[(published["quantity"] == quantity) & (published["backend"] == ALL)]
            unit = claim_unit(claim)
            _curves(axes, part, 1.0 if quantity == "factor" else unit.factor)
            if quantity == "factor":
                marks = _factors(axes, part, known, pooled_rows(cherries), unit)
            else:
                marks = _figures(axes, part, known, unit)
            _limits(axes, part, marks, 1.0 if quantity == "factor" else unit.factor)
            _words(axes, part, unit)
        _legend(figure, panels)
        return theme.rendered(figure, name, "The confession curve: the best of k tries", _CAPTION)


def headline_column(curve: pd.DataFrame) -> str:
    """Return the column that stands for a search.

    For improvements it is the expected best. For factors, which have no mean where a training makes
    no error, it is the median: at its k there is a 50 % chance of such a figure.
    """
    factors = (curve["quantity"] == "factor").any()
    return "expected" if not factors and np.isfinite(curve["expected"]).all() else "median"


def tries_needed(curve: pd.DataFrame, column: str, figure: float) -> int | None:
    """Return the least k whose best reaches a figure; None if not even all tries reach it."""
    reaching = curve.loc[curve[column] >= figure - 1e-12, "k"]
    return int(reaching.min()) if len(reaching) else None


def pooled_rows(cherries: pd.DataFrame) -> pd.DataFrame:
    """Return the rows over all backends, or those of the only backend."""
    backends = set(cherries["backend"])
    return cherries[cherries["backend"] == ALL] if ALL in backends else cherries


def _curves(axes: Axes, curves: pd.DataFrame, scale: float) -> None:
    """Draw each backend's curve, and their mean with its interval and the spread of searches."""
    together = curves[curves["backend"] == ALL]
    column = headline_column(curves)
    backends = [name for name in dict.fromkeys(curves["backend"]) if name != ALL]
    tones = theme.colours(backends)
    for low, high, alpha, label in (
        ("low", "high", 0.16, "middle 80 % of searches"),
        (f"{column}_low", f"{column}_high", 0.38, "95 % interval of the curve"),
    ):
        band = together[np.isfinite(together[high])]
        axes.fill_between(
            band["k"], scale * band[low], scale * band[high], color=theme.MUTED, alpha=alpha, lw=0,
            label=label,
        )  # fmt: skip
    for name in backends if len(backends) > 1 else ():
        curve = curves[curves["backend"] == name]
        axes.plot(
            curve["k"], scale * curve[column], color=tones[name], lw=1.2, label=backend_name(name)
        )
    label = "mean of the backends" if len(backends) > 1 else backend_name(backends[0])
    axes.plot(together["k"], scale * together[column], color=theme.INK, lw=2.0, label=label)


Mark = tuple[float, str]
"""A height in the axes' unit, and the text to write at it."""


def _figures(axes: Axes, curves: pd.DataFrame, published: pd.DataFrame, unit: Unit) -> list[Mark]:
    """Draw the published improvements, and return the texts to write at them."""
    together, column = curves[curves["backend"] == ALL], headline_column(curves)
    marks = []
    for row in rows_of(published):
        figure = float(row["figure"])
        axes.axhline(unit.factor * figure, color=theme.INK, lw=1.0, ls="--")
        k = tries_needed(together, column, figure)
        reach = f"k = {k}" if k else f"beyond k = {together['k'].max()}"
        marks.append((unit.factor * figure, published_label(row, unit, reach)))
    return marks


def _factors(
    axes: Axes,
    curves: pd.DataFrame,
    published: pd.DataFrame,
    cherries: pd.DataFrame,
    unit: Unit,
) -> list[Mark]:
    """Draw the k at which each factor reaches a 50 % chance; return the texts to write there."""
    last = curves["k"].max()
    known = {round(float(row["figure"]), 10): row for row in rows_of(published)}
    marks = []
    for cherry in rows_of(cherries):
        figure, k, low, high = (float(cherry[name]) for name in ("figure", "k", "low", "high"))
        row = known.get(figure)
        if not np.isfinite(k) and row is None:
            continue
        axes.axhline(figure, color=theme.INK, lw=1.0 if row else 0.6, ls="--" if row else ":")
        reach = _even_chance(k, low, high, int(cherry["tries"]))
        text = published_label(row, unit, reach) if row else f"{figure:g}× ({reach})"
        marks.append((figure, text))
        if 1 < k <= last:
            axes.plot([low, min(high, last)], [figure, figure], color=theme.INK, lw=1.5)
            axes.plot(k, figure, marker="D", ms=5, mfc=theme.PAPER, mec=theme.INK, ls="", zorder=5)
    return marks


def _even_chance(k: float, low: float, high: float, tries: int) -> str:
    """Return the number of tries that give a 50 % chance, with the interval."""
    if not np.isfinite(k):
        return f"none of {tries}"
    first, last = math.ceil(low), math.ceil(high) if np.isfinite(high) else "∞"
    return f"k = {math.ceil(k)}" + (f", {first} to {last}" if first != last else "")


def _limits(axes: Axes, curves: pd.DataFrame, marks: list[Mark], scale: float) -> None:
    together = curves[curves["backend"] == ALL]
    values = [*together["low"], *together["high"], *curves[headline_column(curves)]]
    heights = [scale * value for value in values]
    theme.margin_labels(axes, marks, *theme.padded([*heights, *(place for place, _ in marks)]))
    last = max(int(curves["k"].max()), 2)
    ticks = [k for k in _TICKS if k <= last]
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{k:,}" for k in ticks])
    axes.minorticks_off()
    axes.set_xlim(1, last)


def _words(axes: Axes, curves: pd.DataFrame, unit: Unit) -> None:
    quantity = str(curves["quantity"].iloc[0])
    middle = "Median best" if headline_column(curves) == "median" else "Expected best"
    axes.set_xlabel("k: tries, the best one reported")
    axes.set_ylabel(axis_label(quantity, unit))
    axes.set_title(f"{middle} {'factor' if quantity == 'factor' else 'improvement'}")


def _legend(figure: Figure, panels: Iterable[Axes]) -> None:
    first, *others = panels
    handles, names = first.get_legend_handles_labels()
    if others:
        handles.append(Line2D([], [], color=theme.INK, lw=1.5, marker="D", ms=5, mfc=theme.PAPER))
        names.append("50 % chance at this k, 95 % interval")
    figure.legend(handles, names, loc="outside lower center", ncols=3)


_CAPTION = (
    "How to read this figure: a try is a pair of trainings, of one seed in one case. Someone who "
    "makes k tries and reports only the best one would report the height of the curve at k on "
    "average; for factors, whose mean may be infinite, with a 50 % chance. At k = 1 nothing is "
    "selected. The darker band is the 95 % interval of the curve; the lighter one holds the middle "
    "80 % of such searches. A dashed line is a published figure, a dotted line a factor that would "
    "look impressive; each is labelled with the k that reaches it. A diamond marks the k at which "
    "the chance of a factor reaches 50 %, with its 95 % interval; factors of 2, 3 and 4 that no "
    "try reaches are left out. Towards the right every search finds the best of our tries, so the "
    "lighter band closes."
)
