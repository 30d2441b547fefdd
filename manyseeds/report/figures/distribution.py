"""The distribution of a claim's improvement and factor, with the published figures in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from manyseeds.report.figures import theme
from manyseeds.report.wording import Unit, ordinal, unit
from manyseeds.statistics.bootstrap import Floats
from manyseeds.statistics.confession import backends_of, quantities, tries
from manyseeds.statistics.pairs import ALL, Pairs
from manyseeds.suite import Claim

_BINS = 30


def distribution_figure(
    claim: Claim, pairs: Sequence[Pairs], published: pd.DataFrame, name: str
) -> theme.Drawn:
    """Draw one panel a quantity; `published` are the claim's rows of `published_table`."""
    kinds = quantities(pairs)
    with theme.style():
        figure = theme.blank(2.9 * len(kinds))
        figure.get_layout_engine().set(rect=(0, 0, 0.70, 1))  # type: ignore[union-attr]
        panels = figure.subplots(len(kinds), 1, squeeze=False)[:, 0]
        figure.canvas.draw()
        for axes, quantity in zip(panels, kinds, strict=True):
            rows = published[(published["quantity"] == quantity) & (published["backend"] == ALL)]
            values = [tries(pairs, backend, quantity) for backend in backends_of(pairs)]
            _panel(axes, [v for v in values if len(v)], rows, quantity, unit(claim.metric))
        return theme.drawn(figure, name, "How the improvement is spread", _reading(values))


def axis_label(quantity: str, shown: Unit) -> str:
    """Return the label of an axis of improvements or factors."""
    if quantity == "factor":
        return "Factor of errors"
    return f"Improvement of {shown.metric}" + (",\npoints" if shown.factor > 1 else "")


def published_limits(values: Sequence[float], figures: Sequence[float]) -> tuple[float, float]:
    """Return limits with room for values and published figures."""
    return theme.padded([*values, *figures])


def _panel(
    axes: Axes, values: list[Floats], published: pd.DataFrame, quantity: str, shown: Unit
) -> None:
    scale = 1.0 if quantity == "factor" else shown.factor
    figures = [scale * figure for figure in published["figure"]]
    finite = [scale * one[np.isfinite(one)] for one in values]
    flat = np.concatenate(finite) if finite else np.empty(0)
    bottom, top = published_limits(list(flat), figures)
    drawn = [np.minimum(scale * one, top - 1e-9 * (top - bottom)) for one in values]
    weights = [np.full(len(one), 100 / len(one) / len(values)) for one in values]
    if drawn:
        axes.hist(
            np.concatenate(drawn), bins=_edges(flat, bottom, top), orientation="horizontal",
            weights=np.concatenate(weights), color=theme.BETTER, alpha=0.55, lw=0,
        )  # fmt: skip
    neutral = 1.0 if quantity == "factor" else 0.0
    axes.axhline(neutral, color=theme.MUTED, lw=1.2)
    for figure in figures:
        axes.axhline(figure, color=theme.INK, lw=1.0, ls="--")
    labels = [
        (figure, _label(row, scale, quantity, shown))
        for figure, row in zip(figures, published.to_dict("records"), strict=True)
    ]
    theme.margin_labels(axes, labels, bottom, top)
    axes.set_ylabel(axis_label(quantity, shown))
    axes.set_xlabel("Share of seeds, % (mean over backends)")
    axes.yaxis.grid(visible=False)


def _edges(flat: Floats, bottom: float, top: float) -> Floats:
    """Return bins of one width for the whole axis; ties fall into the middle of a bin."""
    distinct = np.unique(flat.round(9))
    if len(distinct) < 2:
        return np.linspace(bottom, top, _BINS + 1)
    step = float(np.diff(distinct).min())
    width = step * max(1, round((top - bottom) / _BINS / step))
    first = distinct[0] - step / 2
    below = np.ceil((first - bottom) / width)
    count = int(np.ceil((top - first) / width) + below) + 1
    return first - below * width + width * np.arange(count + 1)


def _label(row: dict[str, object], scale: float, quantity: str, shown: Unit) -> str:
    figure = float(str(row["figure"]))
    value = f"{figure:.3g}" if quantity == "factor" else shown.gain(figure)
    place = float(str(row["percentile"]))
    where = "" if np.isnan(place) else f" ({ordinal(place)} pct.)"
    return f"{value}  {row['label']}{where}"


def _reading(values: Sequence[Floats]) -> str:
    endless = sum(int(np.isinf(one).sum()) for one in values)
    text = (
        "How to read this figure: the bars show how often trainings came out that way; a dashed "
        "line is a published figure, with the percentage of our seeds that stayed below it (its "
        "percentile). A figure at the 50th percentile is typical, one near the 100th is what the "
        "luckiest seeds give."
    )
    if endless:
        text += (
            f" {endless} trainings made no error at all: their factor is infinite and they are "
            "drawn in the uppermost bar."
        )
    return text
