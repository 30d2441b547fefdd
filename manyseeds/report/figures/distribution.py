"""The distribution of a claim's improvement and factor, with the published figures marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from manyseeds.presentation import theme
from manyseeds.presentation.wording import Unit, claim_unit, number_of, ordinal
from manyseeds.report.frame_rows import Row, rows_of
from manyseeds.statistics.bootstrap import Floats
from manyseeds.statistics.confession import backends_of, quantities, tries
from manyseeds.statistics.pairs import ALL, Pairs
from manyseeds.suite.claims import Claim

_BINS = 30


def distribution_figure(
    claim: Claim, pairs: Sequence[Pairs], published: pd.DataFrame, name: str
) -> theme.RenderedFigure:
    """Draw one panel per quantity; `published` holds the claim's rows of `published_table`."""
    kinds = quantities(pairs)
    with theme.style():
        figure = theme.blank(2.9 * len(kinds))
        panels = figure.subplots(len(kinds), 1, squeeze=False)[:, 0]
        for axes, quantity in zip(panels, kinds, strict=True):
            rows = published[(published["quantity"] == quantity) & (published["backend"] == ALL)]
            values = [tries(pairs, backend, quantity) for backend in backends_of(pairs)]
            _panel(axes, [v for v in values if len(v)], rows, quantity, claim_unit(claim))
        return theme.rendered(figure, name, "Distribution of the improvement", _caption(values))


def axis_label(quantity: str, unit: Unit) -> str:
    """Return the label of an axis of improvements or factors."""
    if quantity == "factor":
        return "Factor of errors"
    return "Improvement, points" if unit.factor > 1 else f"Improvement of {unit.metric}"


def published_label(row: Row, unit: Unit, note: str) -> str:
    """Return "+2.05  book, 2nd edition (note)", without the figure if the label ends in it."""
    is_factor, label = row["quantity"] == "factor", str(row["label"])
    value = f"{row['figure']:.3g}" if is_factor else unit.gain(row["figure"])
    stated = label.endswith(value)
    return (label if stated else f"{value}  {label}") + (f" ({note})" if note else "")


def _panel(
    axes: Axes, values: list[Floats], published: pd.DataFrame, quantity: str, unit: Unit
) -> None:
    scale = 1.0 if quantity == "factor" else unit.factor
    figures = [scale * figure for figure in published["figure"]]
    finite = [scale * sample[np.isfinite(sample)] for sample in values]
    flat = np.concatenate(finite) if finite else np.empty(0)
    bottom, top = theme.padded([*flat, *figures])
    drawn = [np.minimum(scale * sample, top - 1e-9 * (top - bottom)) for sample in values]
    weights = [np.full(len(sample), 100 / len(sample) / len(values)) for sample in values]
    if drawn:
        axes.hist(
            np.concatenate(drawn), bins=list(_edges(flat, bottom, top)), orientation="horizontal",
            weights=np.concatenate(weights), color=theme.BETTER, alpha=0.55, lw=0,
        )  # fmt: skip
    neutral = 1.0 if quantity == "factor" else 0.0
    axes.axhline(neutral, color=theme.MUTED, lw=1.2)
    for figure in figures:
        axes.axhline(figure, color=theme.INK, lw=1.0, ls="--")
    labels = [
        (figure, published_label(row, unit, _place(row["percentile"])))
        for figure, row in zip(figures, rows_of(published), strict=True)
    ]
    theme.margin_labels(axes, labels, bottom, top)
    axes.set_ylabel(axis_label(quantity, unit))
    axes.set_xlabel("Share of pairs, % (mean over backends)")
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
    edges: Floats = first - below * width + width * np.arange(count + 1)
    return edges


def _place(percentile: float) -> str:
    return "" if np.isnan(percentile) else f"{ordinal(percentile)} pct."


def _caption(values: Sequence[Floats]) -> str:
    endless = sum(int(np.isinf(sample).sum()) for sample in values)
    text = (
        "How to read this figure: the bars show how often each result occurred; a dashed line is a "
        "published figure, with the percentage of our pairs below it (its percentile). A figure at "
        "the 50th percentile is typical; only the luckiest pairs reach one near the 100th."
    )
    if endless:
        text += (
            f" {number_of(endless, 'training')} made no error at all: such a factor is infinite, "
            "and is drawn in the topmost bar."
        )
    return text
