"""Rainclouds: every seed of a recipe as a drop, their distribution as a cloud, their mean.

Allen et al. (2019), "Raincloud plots: a multi-platform tool for robust data visualization".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from scipy.stats import gaussian_kde

from manyseeds.presentation import theme
from manyseeds.presentation.wording import Unit, backend_name
from manyseeds.statistics.bootstrap import Floats, Intervals, mean_intervals

_LEAST = 10
"""Seeds that a density needs: with fewer it would show the kernel, not the seeds."""
_DROPS = 150
"""Drops drawn for one recipe on one backend, so that files stay small."""
_STEPS = 60
"""Points of a density."""
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class _Row:
    """The layout of a recipe's row, in rows down from its middle.

    Attributes
    ----------
    cloud
        The base of the clouds, and their height; None without clouds.
    rain
        The middle of each backend's strip.
    strip
        The height of a strip.
    """

    cloud: tuple[float, float] | None
    rain: Sequence[float]
    strip: float

    @classmethod
    def of(cls, backends: int, *, clouds: bool) -> _Row:
        top, bottom = (0.02, 0.44) if clouds else (-0.36, 0.36)
        strip = (bottom - top) / backends
        rain = [top + strip * (number + 0.5) for number in range(backends)]
        return cls((-0.02, 0.42) if clouds else None, rain, strip)


def raincloud_figure(
    scores: pd.DataFrame, lost: pd.DataFrame, recipes: Sequence[str], unit: Unit, name: str
) -> theme.RenderedFigure:
    """Draw a row for each recipe.

    Parameters
    ----------
    scores, lost
        The results of `seed_scores` and `lost_rows` of `manyseeds.statistics.seed_scores`.
    recipes
        The recipes to draw, from the top.
    unit
        The unit of the scores.
    name
        The file name of the figure.
    """
    scores = unit.factor * scores
    backends = list(dict.fromkeys(scores.columns.get_level_values("backend")))
    clouds = int(scores.notna().sum().max()) >= _LEAST
    with theme.style():
        figure = theme.blank((0.62 if clouds else 0.13 + 0.12 * len(backends)) * len(recipes) + 1.1)
        axes = figure.subplots()
        drawn = scores.loc[:, scores.columns.get_level_values("recipe").isin(recipes)]
        axes.set_xlim(*theme.padded(list(drawn.to_numpy(float).ravel())))
        row = _Row.of(len(backends), clouds=clouds)
        means = mean_intervals(drawn.to_numpy(float))
        columns = (drawn.columns.get_level_values(name) for name in ("recipe", "backend"))
        for column, (recipe, backend) in enumerate(zip(*columns, strict=True)):
            values = drawn.iloc[:, column].dropna().to_numpy(float)
            place, number = recipes.index(recipe), backends.index(backend)
            tone = theme.colours(backends)[backend]
            _cloud(axes, values, place, row, tone)
            _rain(axes, values, place + row.rain[number], row, tone)
            _mean(axes, means, column, place + row.rain[number], tone)
        _label(axes, recipes, lost, unit)
        figure.legend(handles=_keys(backends), loc="outside lower center", ncols=5)
        return theme.rendered(figure, name, "Every seed of every recipe", _caption(scores, clouds))


def _cloud(axes: Axes, values: Floats, place: int, row: _Row, tone: str) -> None:
    """Draw a density above the strips, cut off at the least and the largest value."""
    if row.cloud is None or len(values) < _LEAST or np.ptp(values) < 1e-9:
        return
    grid = np.linspace(values.min(), values.max(), _STEPS)
    density = gaussian_kde(values)(grid)
    base, height = row.cloud
    top = place + base - height * density / density.max()
    feet = np.full(2, place + base)
    axes.fill(
        [*grid, *grid[[-1, 0]]], [*top, *feet], facecolor=to_rgba(tone, 0.2), edgecolor=tone, lw=0.9
    )


def _rain(axes: Axes, values: Floats, middle: float, row: _Row, tone: str) -> None:
    seen = values[:_DROPS]
    spread = (np.arange(1, len(seen) + 1) * _GOLDEN) % 1 - 0.5  # fills the strip evenly
    size = 3.4 if len(seen) <= 30 else 2.4
    theme.dots(axes, seen, middle + 0.7 * row.strip * spread, tone, size, alpha=0.55)


def _mean(axes: Axes, means: Intervals, column: int, height: float, tone: str) -> None:
    middle, low, high = (part[column] for part in (means.estimate, means.low, means.high))
    if np.isfinite(low):
        axes.plot([low, high], [height, height], color=theme.INK, lw=1.6, solid_capstyle="butt")
    if np.isfinite(middle):
        axes.plot(
            middle, height, marker="o", ms=4.6, mfc=tone, mec=theme.INK, mew=0.9, ls="", zorder=5
        )  # fmt: skip


def _label(axes: Axes, recipes: Sequence[str], lost: pd.DataFrame, unit: Unit) -> None:
    axes.set_yticks(range(len(recipes)), [theme.wrapped(name, 22) for name in recipes])
    axes.tick_params(axis="y", length=0, labelsize=8.5)
    axes.set_ylim(len(recipes) - 0.45, -0.55)
    axes.yaxis.grid(visible=False)
    for edge in range(1, len(recipes)):
        axes.axhline(edge - 0.5, color=theme.GRID, lw=0.7)
    for place, recipe in enumerate(recipes):
        if note := _note(lost, recipe):
            axes.text(
                1.0, place - 0.47, note, transform=axes.get_yaxis_transform(), ha="right", va="top",
                fontsize=7.5, color=theme.WORSE,
            )  # fmt: skip
    axes.set_xlabel(unit.metric.capitalize() + (", %" if unit.factor > 1 else ""))


def _note(lost: pd.DataFrame, recipe: str) -> str:
    """Return how many trainings of a recipe are not drawn because they have no score."""
    row = lost.loc[recipe]
    parts = [f"{row[kind]} {kind}" for kind in ("diverged", "lost") if row[kind]]
    return f"{' and '.join(parts)} of {row['promised']}" if parts else ""


def _keys(backends: Sequence[str]) -> list[Line2D]:
    tones = theme.colours(backends)
    return [
        *(
            Line2D([], [], color=tones[name], marker="o", ms=4, ls="", label=backend_name(name))
            for name in backends
        ),
        Line2D([], [], color=theme.INK, marker="o", ms=4.6, mfc=theme.PAPER, lw=1.6,
               label="mean, 95 % interval"),
    ]  # fmt: skip


def _caption(scores: pd.DataFrame, clouds: bool) -> str:
    text = "How to read this figure: each dot is one seed, a strip for each backend"
    if len(scores) > _DROPS:
        text += f" (the first {_DROPS} seeds)"
    text += "; the ringed dot is the mean over all seeds with its 95 % interval"
    if clouds:
        text += (
            "; the cloud above is a kernel density of all seeds, scaled to the same height as the "
            "others"
        )
    return f"{text}. For a recipe with several cases, each seed is its mean over them."
