"""The specification curve: a claim's effect in every way the suite tries it, from least to most.

Simonsohn, Simmons and Nelson (2020), "Specification curve analysis".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from manyseeds.presentation import theme
from manyseeds.presentation.wording import NONE, Unit, backend_name
from manyseeds.statistics.specification import choices

_LINE = 0.155
"""Height of a line of the matrix, in inches."""
_MOST = 24
"""Values of a choice that are drawn: a larger matrix would be unreadable."""
_KINDS = ("worse", "undecided", "better")
_TONES = dict(zip(_KINDS, (theme.WORSE, theme.MUTED, theme.BETTER), strict=True))


def specification_figure(table: pd.DataFrame, unit: Unit, name: str) -> theme.RenderedFigure:
    """Draw `specification_table`: the effects above, the choices behind each below."""
    rows = {choice: values for choice, values in _chosen(table).items() if len(values) <= _MOST}
    lines = sum(map(len, rows.values())) + len(rows)
    with theme.style():
        figure = theme.blank(2.9 + _LINE * lines)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.3, _LINE * lines])
        lower.set_xlim(0.4, len(table) + 0.6)
        kinds = _kinds(table)
        _effects(upper, table, kinds, unit)
        _matrix(lower, table, rows, kinds)
        figure.legend(handles=_keys(kinds), loc="outside lower center", ncols=3)
        return theme.rendered(figure, name, "The specification curve", _caption(table, kinds))


def _chosen(table: pd.DataFrame) -> Mapping[str, Sequence[str]]:
    """Return the choices, and the recipes themselves where the choices do not tell them apart."""
    by_choice = choices(table)
    others = [name for name in by_choice if name not in ("backend", "case")]
    recipes = table[["recipe", *others]].drop_duplicates()
    if not others or recipes.duplicated(others).any():
        by_choice["recipe"] = list(dict.fromkeys(table["recipe"]))
    return by_choice


def _kinds(table: pd.DataFrame) -> pd.Series[str]:
    """Return the side of each interval: worse or better than no effect, or undecided."""
    kinds = pd.Series("undecided", index=table.index)
    return kinds.mask(table["low"] > 0, "better").mask(table["high"] < 0, "worse")


def _effects(axes: Axes, table: pd.DataFrame, kinds: pd.Series[str], unit: Unit) -> None:
    axes.axhline(0, color=theme.MUTED, lw=1.2)
    for kind in _KINDS:
        part = table[kinds == kind]
        low, high, middle = (
            unit.factor * part[column].to_numpy(float) for column in ("low", "high", "improvement")
        )
        theme.strokes(axes, part["rank"], low, high, _TONES[kind], 1.1, alpha=0.6)
        theme.dots(axes, part["rank"], middle, _TONES[kind], _size(len(table)))
    values = unit.factor * table[["low", "high", "improvement"]].to_numpy(float)
    axes.set_ylim(*theme.padded([0.0, *values.ravel()]))
    units = ", points" if unit.factor > 1 else ""
    axes.set_ylabel(f"Improvement of\n{unit.metric}{units}")
    axes.xaxis.grid(visible=False)
    axes.tick_params(axis="x", labelbottom=False)


def _matrix(
    axes: Axes, table: pd.DataFrame, rows: Mapping[str, Sequence[str]], kinds: pd.Series[str]
) -> None:
    labels: dict[int, str] = {}
    line = 0
    for choice, values in rows.items():
        axes.text(
            -0.012, line, choice, transform=axes.get_yaxis_transform(), ha="right", va="center",
            fontsize=8, fontweight="bold",
        )  # fmt: skip
        for value in values:
            line += 1
            chosen = table[choice].astype(str) == value
            for kind in _KINDS:
                ranks = table.loc[chosen & (kinds == kind), "rank"].to_numpy(float)
                middle, width = np.full(len(ranks), line), _size(len(table)) - 0.6
                theme.strokes(axes, ranks, middle - 0.36, middle + 0.36, _TONES[kind], width)
            labels[line] = backend_name(value) if choice == "backend" else value or NONE
        line += 1
    axes.set_yticks(
        list(labels), [theme.shortened(text, 24) for text in labels.values()], fontsize=7.5
    )
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(line - 0.4, -0.6)
    axes.grid(visible=False)
    for height in labels:
        axes.axhline(height, color=theme.GRID, lw=0.5, zorder=0)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.set_xlabel("Specifications, from the least to the largest improvement")


def _size(specifications: int) -> float:
    """Return the width of a mark in points, such that neighbours stay apart."""
    return float(np.clip(330 / specifications, 1.4, 5.0))


def _keys(kinds: pd.Series[str]) -> list[Line2D]:
    words = {
        "worse": "interval below 0",
        "undecided": "interval across 0",
        "better": "interval above 0",
    }
    counts = kinds.value_counts()
    return [
        Line2D([], [], color=_TONES[kind], marker="o", ms=4, lw=1.1,
               label=f"{words[kind]} ({counts[kind]})")
        for kind in _KINDS
        if kind in counts
    ]  # fmt: skip


def _caption(table: pd.DataFrame, kinds: pd.Series[str]) -> str:
    above = int((kinds == "better").sum())
    return (
        f"How to read this figure: each of the {len(table)} columns is one way to test the "
        "question: a recipe in a case on a backend, against its baseline. Above, the mean "
        "improvement with its 95 % interval, not corrected for the number of columns; below, the "
        f"choices made. {above} of {len(table)} intervals lie above 0. Someone free to choose can "
        "report any column; a choice whose marks crowd at one end decides the result."
    )
