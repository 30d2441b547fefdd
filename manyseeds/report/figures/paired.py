"""Every seed as a line from the baseline to the treatment, one panel per backend."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from manyseeds.presentation import theme
from manyseeds.presentation.wording import Unit, backend_name, metric_unit
from manyseeds.statistics.bootstrap import Floats, mean_intervals
from manyseeds.statistics.pairs import Pairs
from manyseeds.suite.claims import Claim, Reference, references

_LINES = 200
_PUBLISHED = ("--", ":", "-.")


def paired_figure(claim: Claim, pairs: Pairs, name: str) -> theme.RenderedFigure:
    """Draw the pairs of one case, with the published pairs of accuracies."""
    with theme.style():
        figure = theme.blank(4.3)
        panels = figure.subplots(1, len(pairs.backends), sharey=True, squeeze=False)[0]
        unit = metric_unit(pairs.metric)
        published = [pair for pair in references(claim) if pair.improvement is not None]
        for axes, backend in zip(panels, pairs.backends, strict=True):
            _panel(axes, pairs, backend, unit, published)
            axes.set_title(backend_name(backend))
        panels[0].set_ylabel(unit.metric.capitalize() + (", %" if unit.factor > 1 else ""))
        figure.legend(handles=_legend(published), loc="outside lower center", ncols=3)
        return theme.rendered(figure, name, "Seed by seed", _caption(pairs))


def _panel(axes: Axes, pairs: Pairs, backend: str, unit: Unit, published: list[Reference]) -> None:
    treatment, baseline = unit.factor * pairs.view(backend)
    better = pairs.improvement(backend) > 0
    worse = pairs.improvement(backend) < 0
    for chosen, colour in ((~worse & ~better, theme.MUTED), (better, theme.BETTER)):
        axes.add_collection(_lines(baseline, treatment, chosen, colour, 0.30))
    axes.add_collection(_lines(baseline, treatment, worse, theme.WORSE, 0.75))
    for pair, dashes in zip(published, _cycle(len(published)), strict=True):
        ends = [unit.factor * float(value or 0) for value in (pair.baseline, pair.treatment)]
        axes.plot([0, 1], ends, color=theme.INK, lw=1.3, ls=dashes)
    means = mean_intervals(np.stack([baseline, treatment], axis=1))
    errors = np.abs([means.estimate - means.low, means.high - means.estimate])
    axes.errorbar(
        [0, 1], means.estimate, errors, color=theme.INK, lw=2.2,
        marker="o", ms=6, capsize=3, zorder=5,
    )  # fmt: skip
    axes.set_xlim(-0.1, 1.1)
    axes.set_xticks([0, 1], [pairs.baseline, pairs.treatment])
    first, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    axes.xaxis.grid(visible=False)
    axes.autoscale_view(scalex=False)


def _lines(
    baseline: Floats,
    treatment: Floats,
    chosen: np.typing.NDArray[np.bool_],
    colour: str,
    alpha: float,
) -> LineCollection:
    seeds = np.flatnonzero(chosen)[:_LINES]
    ends = [((0.0, float(baseline[i])), (1.0, float(treatment[i]))) for i in seeds]
    return LineCollection(ends, colors=colour, linewidths=0.9, alpha=alpha)


def _cycle(count: int) -> list[str]:
    return [_PUBLISHED[number % len(_PUBLISHED)] for number in range(count)]


def _legend(published: list[Reference]) -> list[Line2D]:
    ours = [
        Line2D([], [], color=theme.BETTER, lw=1.4, label="a seed that improved"),
        Line2D([], [], color=theme.WORSE, lw=1.4, label="a seed that got worse"),
        Line2D([], [], color=theme.INK, lw=2.2, marker="o", label="mean, 95 % interval"),
    ]
    theirs = [
        Line2D([], [], color=theme.INK, lw=1.3, ls=dashes, label=f"published: {pair.label}")
        for pair, dashes in zip(published, _cycle(len(published)), strict=True)
    ]
    return ours + theirs


def _caption(pairs: Pairs) -> str:
    cut = f" The first {_LINES} of each kind are drawn." if len(pairs.seeds) > _LINES else ""
    return (
        f"How to read this figure: each line is one seed, from {pairs.baseline} on the left to "
        f"{pairs.treatment} on the right, with the same random streams at both ends. A line that "
        f"rises is a seed whose {metric_unit(pairs.metric).metric} went up.{cut}"
    )
