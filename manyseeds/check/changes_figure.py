"""The figure of a check: a panel per layer, a line per finding, worst at the top."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from manyseeds.check.findings import Finding
from manyseeds.check.rows import LAYERS, Layer
from manyseeds.conformance.comparison import TOLERANCE
from manyseeds.presentation import theme
from manyseeds.presentation.wording import backend_name

MOST_LINES = 25
"""The most lines that a panel shows."""

_AXES: dict[Layer, str] = {
    "numerics": "Largest relative error of the trajectory",
    "accuracy": "Change of the mean over seeds, points",
    "time": "Time or memory now, over that of the baseline",
}


def changes_figure(
    findings: Sequence[Finding], title: str = "Since the baseline"
) -> theme.RenderedFigure | None:
    """Draw the findings that changed or could not be decided.

    Parameters
    ----------
    findings
        In the order of `CheckReport.findings`.
    title
        The two sides that are compared.

    Returns
    -------
    RenderedFigure or None
        None if no such finding has a size.
    """
    panels = [(layer, _drawable(layer, findings)) for layer in LAYERS]
    panels = [(layer, rows) for layer, rows in panels if rows]
    if not panels:
        return None
    backends = sorted({finding.backend for _, rows in panels for finding in rows})
    heights = [len(rows) + 1.2 for _, rows in panels]
    with theme.style():
        figure = theme.blank(0.27 * sum(heights) + 0.5 * len(panels) + 0.4)
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (layer, rows) in zip(grid, panels, strict=True):
            _panel(axes, layer, rows, theme.colours(backends))
        reading = (
            "Filled: changed. Hollow: too few samples to tell, or acknowledged. Bars are the "
            "corrected 95 % intervals. Grey: a change of this size does not count."
        )
        return theme.rendered(figure, "changes", title, reading)


def figure_files(findings: Sequence[Finding], title: str) -> dict[str, bytes]:
    """Return the files of the figure by name; none if there is nothing to draw."""
    figure = changes_figure(findings, title)
    if figure is None:
        return {}
    return {f"{figure.name}.svg": figure.svg, f"{figure.name}.png": figure.png}


def _drawable(layer: Layer, findings: Sequence[Finding]) -> list[Finding]:
    drawable = [
        finding
        for finding in findings
        if finding.layer == layer
        and finding.state in {"changed", "cannot tell"}
        and not math.isnan(finding.size)
        and (layer != "accuracy" or finding.unit == "share")
    ]
    return drawable[:MOST_LINES]


def _panel(axes: Axes, layer: Layer, rows: Sequence[Finding], colours: Mapping[str, str]) -> None:
    _set_scale(axes, layer)
    for height, finding in enumerate(rows):
        _shade_what_does_not_count(axes, layer, finding, height)
        size, low, high = (_plotted(layer, v) for v in (finding.size, finding.low, finding.high))
        colour = colours[finding.backend]
        certain = finding.state == "changed" and finding.acknowledged is None
        if not math.isnan(low + high):
            axes.plot([low, high], [height, height], color=colour, lw=1.4)
        axes.plot(size, height, "o", color=colour, mfc=colour if certain else theme.PAPER, ms=6)
    names = [f"{finding.subject} · {backend_name(finding.backend)}" for finding in rows]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.yaxis.grid(visible=False)
    axes.set_title(layer.capitalize())
    axes.set_xlabel(_AXES[layer])


def _set_scale(axes: Axes, layer: Layer) -> None:
    """Set the scale of a panel, and mark where nothing has changed."""
    if layer == "numerics":
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
        axes.axvline(TOLERANCE, color=theme.MUTED, lw=1.2, ls="--")
    else:
        axes.axvline(1 if layer == "time" else 0, color=theme.MUTED, lw=1.2)


def _shade_what_does_not_count(axes: Axes, layer: Layer, finding: Finding, height: int) -> None:
    """Shade a row's changes that do not count: rows of one panel differ in their least effects."""
    least = finding.least_effect
    if layer == "numerics" or math.isnan(least):
        return
    low, high = (1 / (1 + least), 1 + least) if layer == "time" else (-100 * least, 100 * least)
    axes.fill_betweenx([height - 0.5, height + 0.5], low, high, color=theme.MUTED, alpha=0.13, lw=0)


def _plotted(layer: Layer, value: float) -> float:
    """Return the plotted value: accuracies in points, infinite errors at the right edge."""
    if layer == "accuracy":
        return 100 * value
    return min(value, 1e3) if layer == "numerics" else value
