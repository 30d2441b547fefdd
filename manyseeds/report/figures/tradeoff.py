"""Accuracy against seconds: what each recipe costs and gains, and which are worth their time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from manyseeds.presentation import theme
from manyseeds.presentation.wording import Unit, backend_name
from manyseeds.report.figures.label_placement import LabelPlacer
from manyseeds.statistics.bootstrap import Floats

_HEIGHT = 3.7
"""Height of the axes in inches."""
_NAMED = 8
"""Recipes labelled with their names; more than these are numbered, and listed below."""
_COLUMNS = 3


@dataclass(frozen=True)
class _Frame:
    """The position of the axes on the page, in inches from its left and top edge."""

    left: float = 0.75
    right: float = theme.WIDTH - 0.15
    top: float = 0.15
    bottom: float = 0.15 + _HEIGHT


def tradeoff_figure(
    points: pd.DataFrame, unit: Unit, *, solo: bool, name: str
) -> theme.RenderedFigure:
    """Draw a point for each recipe on each backend, and the front of those worth their time.

    Parameters
    ----------
    points
        `recipe`, `backend`, `score` with `low` and `high` (in the metric's unit), `seconds`.
    unit
        The unit of the scores.
    solo
        Whether the seconds are those of a training alone; else of a seed's share of a cohort.
    name
        The file name of the figure.
    """
    recipes = list(dict.fromkeys(points["recipe"]))
    with theme.style():
        named = len(recipes) <= _NAMED
        figure, whole = _figure(points, recipes, unit, solo=solo, numbered=not named)
        if named and not whole:
            figure, _ = _figure(points, recipes, unit, solo=solo, numbered=True)
        return theme.rendered(figure, name, _title(unit), _caption(unit, solo=solo))


def _figure(
    points: pd.DataFrame, recipes: Sequence[str], unit: Unit, *, solo: bool, numbered: bool
) -> tuple[Figure, bool]:
    """Return the figure, and whether every label found room."""
    backends = list(dict.fromkeys(points["backend"]))
    listed = -(-len(recipes) // _COLUMNS) if numbered else 0
    height = _HEIGHT + 1.05 + 0.15 * listed
    figure = theme.blank(height)
    figure.set_layout_engine(None)  # labels are placed where they are drawn
    axes = _axes(figure, height)
    _points(axes, points, backends, unit)
    _front(axes, points, unit)
    _scales(axes, points, unit, solo=solo)
    whole = _name(axes, points, recipes, unit, numbered=numbered)
    if numbered:
        _list(figure, recipes, height)
    figure.legend(
        handles=list(_keys(backends)), loc="center", ncols=len(backends) + 1,
        bbox_to_anchor=(0.5, (0.15 * listed + 0.22) / height),
    )  # fmt: skip
    return figure, whole


def pareto(costs: Floats, gains: Floats) -> NDArray[np.bool_]:
    """Return whether each point is on the Pareto front of low costs and high gains.

    A point is on it if no other is better in cost or gain without being worse in the other.

    Parameters
    ----------
    costs, gains
        [points].

    Returns
    -------
    numpy.ndarray
        Whether each point is on the front, [points].
    """
    cheaper = (costs[:, None] >= costs) & (gains[:, None] <= gains)
    strictly = (costs[:, None] > costs) | (gains[:, None] < gains)
    return np.logical_not((cheaper & strictly).any(axis=1))


def _axes(figure: Figure, height: float) -> Axes:
    place = _Frame()
    return figure.add_axes((
        place.left / theme.WIDTH,
        1 - place.bottom / height,
        (place.right - place.left) / theme.WIDTH,
        _HEIGHT / height,
    ))  # fmt: skip


def _points(axes: Axes, points: pd.DataFrame, backends: Sequence[str], unit: Unit) -> None:
    tones, marks = theme.colours(backends), theme.markers(backends)
    for _, part in points.groupby("recipe", sort=False):
        scores = unit.factor * part["score"]
        axes.plot(part["seconds"], scores, color=theme.MUTED, lw=0.6, alpha=0.6)
    for backend in backends:
        part = points[points["backend"] == backend]
        values = unit.factor * part[["score", "low", "high"]].to_numpy(float)
        errors = np.abs(values[:, 1:] - values[:, :1]).T
        axes.errorbar(
            part["seconds"], values[:, 0], yerr=errors, fmt=marks[backend], color=tones[backend],
            ms=5, elinewidth=0.9, mec=theme.PAPER, mew=0.6,
        )  # fmt: skip


def _front(axes: Axes, points: pd.DataFrame, unit: Unit) -> None:
    """Draw the best score attainable within each number of seconds."""
    gains = points["score"] if unit.factor > 1 else -points["score"]
    best = pareto(points["seconds"].to_numpy(float), gains.to_numpy(float))
    front = points[best].sort_values("seconds", kind="stable")
    axes.step(
        front["seconds"], unit.factor * front["score"], where="post", color=theme.INK, lw=1.3,
        ls="--", zorder=1.5,
    )  # fmt: skip


def _scales(axes: Axes, points: pd.DataFrame, unit: Unit, *, solo: bool) -> None:
    axes.set_xscale("log")
    low, high = theme.padded(list(np.log10(points["seconds"])), 0.08)
    axes.set_xlim(10**low, 10**high)
    values = unit.factor * points[["score", "low", "high"]].to_numpy(float)
    axes.set_ylim(*theme.padded(list(values.ravel()), 0.08))
    theme.logarithmic(axes.xaxis, each=True)
    axes.set_xlabel(
        "Seconds of one training alone" if solo else "Seconds of a seed: its share of a cohort"
    )
    mean = f"Mean {unit.metric}"
    axes.set_ylabel(f"{mean}, %" if unit.factor > 1 else mean)


def _name(
    axes: Axes, points: pd.DataFrame, recipes: Sequence[str], unit: Unit, *, numbered: bool
) -> bool:
    """Label each recipe once, next to one of its points that has room; return whether all had."""
    heights = unit.factor * points["score"]
    places = np.column_stack([points["seconds"], heights])
    labels = LabelPlacer(axes, places, 7.5 if numbered else 8.5)
    had_room = [
        labels.place(
            f"{number}" if numbered else theme.shortened(recipe, 30),
            (points["recipe"] == recipe).to_numpy(),
        )
        for number, recipe in enumerate(recipes, start=1)
    ]
    return all(had_room)


def _list(figure: Figure, recipes: Sequence[str], height: float) -> None:
    lines = -(-len(recipes) // _COLUMNS)
    for number, recipe in enumerate(recipes):
        column, line = divmod(number, lines)
        left = 0.25 / theme.WIDTH + column * (1 - 0.2 / theme.WIDTH) / _COLUMNS
        place = (0.15 * (lines - line) - 0.06) / height
        figure.text(left, place, f"{number + 1}", fontsize=7.5, va="center", ha="right")
        name = theme.shortened(recipe, 34)
        figure.text(left + 0.07 / theme.WIDTH, place, name, fontsize=7.5, va="center")


def _keys(backends: Sequence[str]) -> Iterator[Line2D]:
    tones, marks = theme.colours(backends), theme.markers(backends)
    for backend in backends:
        yield Line2D(
            [], [], color=tones[backend], marker=marks[backend], ms=5, ls="",
            label=backend_name(backend),
        )  # fmt: skip
    yield Line2D([], [], color=theme.INK, lw=1.3, ls="--", label="nothing better in less time")


def _title(unit: Unit) -> str:
    return "Accuracy against seconds" if unit.factor > 1 else "Loss against seconds"


def _caption(unit: Unit, *, solo: bool) -> str:
    seconds = (
        "one network trained alone, compiling not counted"
        if solo
        else "a seed's share of the cohort it was trained in, which is far less than a training "
        "alone takes; compiling not counted"
    )
    better = "up" if unit.factor > 1 else "down"
    return (
        f"How to read this figure: {better} and to the left is better. Each mark is a recipe on a "
        f"backend, its mean over the seeds with a 95 % interval; seconds are those of {seconds}. A "
        "thin line joins a recipe's backends. The dashed line is the Pareto front: no mark is both "
        "better and faster than those on it."
    )
