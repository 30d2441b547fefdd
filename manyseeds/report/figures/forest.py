"""Many improvements with their intervals, one line each: recipes, or the cases of a claim."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from manyseeds.presentation import theme
from manyseeds.presentation.wording import ProbabilityUnit, RatioUnit, Unit, backend_name
from manyseeds.statistics.pairs import ALL


def forest_figure(
    groups: Sequence[tuple[str, pd.DataFrame]],
    by: str,
    unit: Unit,
    least_effect: float | None,
    name: str,
    title: str,
) -> theme.RenderedFigure:
    """Draw one panel per group, one above the other.

    Parameters
    ----------
    groups
        The title of each panel, and rows with `improvement`, `low`, `high` and `backend`.
    by
        The column that names the lines.
    unit
        The unit of the improvement.
    least_effect
        Shaded around no effect, on the scale of the improvement.
    name, title
        The file name and the title of the figure.
    """
    lines = [rows[by].nunique() for _, rows in groups]
    with theme.style():
        figure = theme.blank(0.30 * sum(lines) + 0.45 * len(groups) + 1.0)
        panels = figure.subplots(
            len(groups), 1, sharex=True, squeeze=False, height_ratios=[n + 0.6 for n in lines]
        )[:, 0]
        for axes, (heading, rows) in zip(panels, groups, strict=True):
            _panel(axes, rows, by, unit, least_effect)
            axes.set_title(heading)
        panels[-1].set_xlabel(_axis_label(unit))
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=5)
        return theme.rendered(figure, name, title, _caption(least_effect, unit))


def _panel(axes: Axes, rows: pd.DataFrame, by: str, unit: Unit, least_effect: float | None) -> None:
    names = list(dict.fromkeys(rows[by]))
    backends = [name for name in dict.fromkeys(rows["backend"]) if name != ALL]
    tones, marks = theme.colours(backends), theme.markers(backends) | {ALL: "o"}
    if least_effect:
        ends = unit.scaled(-least_effect), unit.scaled(least_effect)
        axes.axvspan(*ends, color=theme.MUTED, alpha=0.13, lw=0)
    axes.axvline(unit.scaled(0.0), color=theme.MUTED, lw=1.2)
    for number, backend in enumerate([*backends, ALL]):
        part = rows[rows["backend"] == backend]
        offset = (number - len(backends) / 2) * 0.7 / (len(backends) + 1)
        heights = np.array([names.index(name) + offset for name in part[by]])
        values = part[["improvement", "low", "high"]].astype(float).map(unit.scaled).to_numpy()
        errors = np.abs(values[:, 1:] - values[:, :1]).T
        axes.errorbar(
            values[:, 0], heights, xerr=errors, fmt=marks[backend], color=tones[backend],
            ms=5 if backend == ALL else 3, elinewidth=1.8 if backend == ALL else 0.9,
            label=backend_name(backend),
        )  # fmt: skip
    axes.set_yticks(range(len(names)), [str(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.yaxis.grid(visible=False)


def _axis_label(unit: Unit) -> str:
    if isinstance(unit, RatioUnit | ProbabilityUnit):
        return f"{unit.metric.capitalize()}{', %' if unit.factor > 1 else ''}"
    return f"Improvement of {unit.metric}{', points' if unit.factor > 1 else ''}"


def _caption(least_effect: float | None, unit: Unit) -> str:
    band = ""
    if least_effect:
        sign = "" if isinstance(unit, RatioUnit | ProbabilityUnit) else "±"
        band = (
            f" The band is {sign}{unit.points(least_effect)}, below which an effect does not count."
        )
    return (
        "How to read this figure: marks right of the line of no effect are better than the "
        "baseline. Each mark is a mean over the pairs, its line the 95 % interval."
        f"{band}"
    )
