"""The style of figures, and their files, which are the same every time."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import fill
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike
from PIL import Image

from manyseeds.presentation.wording import backend_name
from manyseeds.statistics.bootstrap import Floats
from manyseeds.statistics.pairs import ALL

INK, MUTED, GRID, PAPER = "#1f2328", "#59636e", "#d8dee4", "#ffffff"

WIDTH = 7.2
"""Inches; at the page's full width, a point of the figure is about a point on the page."""

_DPI = 144
"""Dots per inch of the PNG. Layout uses the same, because hinting changes the widths of letters."""

PALETTE = [mpl.colors.to_hex(colour) for colour in sns.color_palette("colorblind")]
"""Ten colours that people with any kind of colour vision can tell apart."""

BETTER, WORSE = PALETTE[0], PALETTE[3]
MARKERS = ("o", "s", "^", "D", "v", "P")

_STYLE: Any = {
    **sns.axes_style("whitegrid"),
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # else every draw looks for what a title might collide with
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.hashsalt": "manyseeds",
    "svg.fonttype": "path",
    "path.simplify": False,
    "text.parse_math": False,
}


@dataclass(frozen=True)
class RenderedFigure:
    """A figure as files.

    Attributes
    ----------
    name
        The name of the files, without suffix.
    title, caption
        The heading, and how to read the figure.
    svg, png
        The contents of the files.
    """

    name: str
    title: str
    caption: str
    svg: bytes
    png: bytes


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's style, whatever a `matplotlibrc` or the caller has set.

    Earlier settings are restored afterwards.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def blank(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure, in inches, whose parts make room for each other."""
    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained")


def rendered(figure: Figure, name: str, title: str, caption: str) -> RenderedFigure:
    """Return a figure as SVG and PNG, without dates or versions."""
    svg, png = io.BytesIO(), io.BytesIO()
    if layout := figure.get_layout_engine():
        layout.execute(figure)
    figure.set_layout_engine(None)  # else each file would draw everything twice
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    figure.savefig(png, format="png", dpi=_DPI, metadata={"Software": None})
    return RenderedFigure(name, title, caption, _rounded(svg.getvalue()), _with_few_colours(png))


def _with_few_colours(png: io.BytesIO) -> bytes:
    """Return a PNG with a palette, a third as large: figures have few colours and their blends."""
    with Image.open(png) as image:
        few = image.convert("RGB").quantize(
            128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
        )
    small = io.BytesIO()
    few.save(small, format="png", dpi=(_DPI, _DPI))
    return small.getvalue()


_COORDINATES = re.compile(rb'(?<=\s)[dxy]="[^"]*"')
_LONG = re.compile(rb"\d+\.\d{3,}")


def _rounded(svg: bytes) -> bytes:
    """Round coordinates to hundredths of a point, which is invisible and makes files smaller."""
    return _COORDINATES.sub(
        lambda match: _LONG.sub(lambda number: b"%.2f" % float(number[0]), match[0]), svg
    )


def colours(backends: Sequence[str]) -> dict[str, str]:
    """Return a colour per backend, and ink for all of them together."""
    own = (0, 1, 2, 4, 5, 9)
    by_backend = {name: PALETTE[own[i % len(own)]] for i, name in enumerate(backends)}
    return by_backend | {ALL: INK}


def band(axes: Axes, bands: pd.DataFrame, backend: str, backends: Sequence[str]) -> None:
    """Draw the middle of three quantiles (the columns) as a line, and a band between the others.

    Later backends' lines are thinner, so that lines that coincide are all visible.
    """
    low, middle, high = (bands[share] for share in sorted(bands.columns))
    tone = colours(backends)[backend]
    width = 3.2 - 1.1 * min(list(backends).index(backend), 2)
    axes.fill_between(bands.index, low, high, color=tone, alpha=0.18, lw=0)
    axes.plot(bands.index, middle, color=tone, lw=width, label=backend_name(backend))


def dots(
    axes: Axes, x: ArrayLike, y: ArrayLike, colour: str, size: float = 3.0, alpha: float = 1.0
) -> None:
    """Draw points as one path, so that a file has a few bytes for each instead of an element.

    Each point is a stroke of almost no length with round ends. The limits of a linear x must be
    set.
    """
    low, high = axes.get_xlim()
    first = np.column_stack([np.asarray(x, float), np.asarray(y, float)])
    last = first + np.array([(high - low) * 1e-4, 0.0])
    _stroked(axes, first, last, colour, size, alpha, "round")


def strokes(
    axes: Axes,
    x: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    colour: str,
    width: float,
    alpha: float = 1.0,
) -> None:
    """Draw vertical lines as one path, without those whose ends are unknown."""
    places, bottom, top = (np.asarray(part, float) for part in (x, low, high))
    known = np.isfinite(bottom) & np.isfinite(top)
    first, last = (np.column_stack([places, end])[known] for end in (bottom, top))
    _stroked(axes, first, last, colour, width, alpha, "butt")


def _stroked(
    axes: Axes,
    first: Floats,
    last: Floats,
    colour: str,
    width: float,
    alpha: float,
    ends: Literal["butt", "round"],
) -> None:
    if not len(first):
        return
    path = Path(
        np.stack([first, last], axis=1).reshape(-1, 2), [Path.MOVETO, Path.LINETO] * len(first)
    )
    axes.add_artist(  # add_patch would walk the path to find limits, which are set
        PathPatch(
            path, fill=False, edgecolor=colour, lw=width, alpha=alpha, capstyle=ends, snap=False
        )
    )


def wrapped(name: str, letters: int) -> str:
    """Return a name in lines of at most this many letters, broken after "_" too."""
    return fill(name.replace("_", "_ "), letters).replace("_ ", "_")


def shortened(name: str, letters: int) -> str:
    """Return a name of at most this many letters, cut off with an ellipsis."""
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


def logarithmic(axis: Axis, *, each: bool = False) -> None:
    """Mark an axis that is already logarithmic, and has its limits, in plain figures.

    Marks are at powers of ten; with `each`, at round figures where there is room for them.
    """
    low, high = axis.get_view_interval()
    decades = np.log10(high / low)
    if each and decades < 0.6:
        axis.set_major_locator(MaxNLocator(7))
    else:
        between = (1.0, 2.0, 3.0, 5.0) if decades < 1.6 else (1.0, 2.0, 5.0)
        axis.set_major_locator(LogLocator(10, subs=between if each and decades < 3 else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def markers(backends: Sequence[str]) -> dict[str, str]:
    """Return a marker per backend, so that colour alone need not tell them apart."""
    return {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(backends)}


_LINE = 0.075
"""Height of a line of small text, as a share of the height of axes that have labels."""


def margin_labels(
    axes: Axes, texts: Sequence[tuple[float, str]], bottom: float, top: float
) -> None:
    """Write labels right of the axes at their heights, pushed apart where they would overlap.

    Parameters
    ----------
    axes
        The axes; a thin line leads from them to each label.
    texts
        Height in data coordinates, and label.
    bottom, top
        The limits of the axes' y.
    """
    axes.set_ylim(bottom, top)
    order = sorted(texts)
    heights = spread([(height - bottom) / (top - bottom) for height, _ in order], _LINE)
    for (height, text), place in zip(order, heights, strict=True):
        start = (height - bottom) / (top - bottom)
        axes.plot(
            [1, 1.025], [start, place], color=MUTED, lw=0.7, transform=axes.transAxes, clip_on=False
        )
        axes.text(1.032, place, text, transform=axes.transAxes, va="center", fontsize=8.5)


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Return increasing positions, moved as little as possible, with at least `gap` between them.

    Neighbours that are too near are merged into blocks, each centred on its members' mean (pool
    adjacent violators).
    """
    blocks: list[list[float]] = []
    for number, place in enumerate(places):
        blocks.append([place - number * gap])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    levels = [float(np.mean(block)) for block in blocks for _ in block]
    return [level + number * gap for number, level in enumerate(levels)]


def padded(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """Return limits that hold all values with some room; never an empty range."""
    finite = [value for value in values if np.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    room = share * (high - low) or max(abs(high), 1.0) * share
    return low - room, high + room
