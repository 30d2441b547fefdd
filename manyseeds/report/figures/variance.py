"""The spread of results that each stream of randomness causes on its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from manyseeds.presentation import theme
from manyseeds.presentation.wording import Unit, backend_name, metric_unit
from manyseeds.statistics.bootstrap import Floats
from manyseeds.statistics.pairs import ALL
from manyseeds.statistics.variance import BETWEEN, TOGETHER
from manyseeds.suite.suite import Suite

_PANELS = 4
_GAP = 0.35
"""Space above the variance between backends, in rows."""


def variance_figure(suite: Suite, table: pd.DataFrame, name: str) -> theme.RenderedFigure:
    """Draw `variance_table`, one panel per recipe and case, at most four."""
    cells = list(dict.fromkeys(zip(table["recipe"], table["case"], strict=True)))
    panels = cells[:_PANELS]
    backends = [name for name in dict.fromkeys(table["backend"]) if name != ALL]
    unit = metric_unit(suite.primary)
    streams = list(dict.fromkeys(table["stream"]))
    with theme.style():
        columns = min(2, len(panels))
        rows = -(-len(panels) // columns)
        height = 0.27 * len(streams) * max(2, len(backends)) + 0.9
        figure = theme.blank(max(2.0, height) * rows + 0.4)
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        for axes, (recipe, case) in zip(grid, panels, strict=False):
            part = table[(table["recipe"] == recipe) & (table["case"] == case)]
            _panel(axes, part, streams, backends, unit)
            axes.set_title(f"{recipe}  {case}".strip())
        units = ", points" if unit.factor > 1 else ""
        for axes in grid[len(panels) - columns : len(panels)]:
            axes.set_xlabel(f"Standard deviation of {unit.metric}{units}")
        handles, names = _handles(list(grid[: len(panels)]))
        figure.legend(handles, names, loc="outside lower center", ncols=4)
        return theme.rendered(figure, name, "Variance by stream", _caption(suite, len(cells)))


def _caption(suite: Suite, cells: int) -> str:
    rest = f" The other {cells - _PANELS} panels are in the CSV." if cells > _PANELS else ""
    return (
        "How to read this figure: each bar is the spread of results when a seed drives only that "
        "stream and all others are pinned; “together” is the suite's own seeds, which drive "
        f"{', '.join(suite.varied)}. “Between backends” is the difference that remains when seed "
        f"and streams are identical: the frameworks' own noise. Lines are 95 % intervals.{rest}"
    )


def _panel(
    axes: Axes, part: pd.DataFrame, streams: list[str], backends: list[str], unit: Unit
) -> None:
    tones = theme.colours(backends)
    thick = 0.8 / max(1, len(backends))
    for backend, rows in part.groupby("backend", sort=False):
        place = 0.0
        if backend != ALL:
            place = (backends.index(str(backend)) - (len(backends) - 1) / 2) * thick
        heights = np.array([_height(streams, stream) + place for stream in rows["stream"]])
        values = unit.factor * rows[["sd", "low", "high"]].to_numpy(float)
        errors = np.abs(values[:, 1:] - values[:, :1]).T
        tone = theme.MUTED if backend == ALL else tones[str(backend)]
        name = "all backends" if backend == ALL else backend_name(str(backend))
        axes.barh(heights, values[:, 0], height=0.9 * thick, color=tone, alpha=0.8, label=name)
        axes.errorbar(
            values[:, 0], heights, xerr=errors, fmt="none", ecolor=theme.INK, elinewidth=1.1,
            capsize=2,
        )  # fmt: skip
        if backend == ALL:
            for height, row in zip(heights, values, strict=True):
                _say(axes, height, row)
    places = [_height(streams, stream) for stream in streams]
    axes.set_yticks(places, [_stream_name(stream) for stream in streams])
    axes.set_ylim(places[-1] + 0.5, -0.5)
    if BETWEEN in streams:
        axes.axhline(_height(streams, BETWEEN) - 0.5 - _GAP / 2, color=theme.MUTED, lw=0.9, ls=":")
    axes.yaxis.grid(visible=False)


def _height(streams: Sequence[str], stream: str) -> float:
    """Return the position of a stream, the variance between backends a little apart."""
    return streams.index(stream) + (_GAP if stream == BETWEEN else 0.0)


def _say(axes: Axes, height: float, values: Floats) -> None:
    """Write a value that may be too small for a bar to show."""
    sd, low, high = values
    text = f"{sd:.2g} ({low:.2g} to {high:.2g})" if np.isfinite(low) else f"{sd:.2g}"
    axes.annotate(
        text, (np.nanmax(values), height), xytext=(6, 0), textcoords="offset points", va="center",
        fontsize=8.5,
    )  # fmt: skip


def _handles(grid: Sequence[Axes]) -> tuple[list[Artist], list[str]]:
    by_name: dict[str, Artist] = {}
    for axes in grid:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            by_name.setdefault(name, handle)
    return list(by_name.values()), list(by_name)


def _stream_name(stream: str) -> str:
    return {TOGETHER: "together", BETWEEN: "between\nbackends"}.get(stream, stream)
