"""The slider of the confession curve: the figure that the best of k tries would be reported as."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from manyseeds.presentation.wording import SPACE, Unit, backend_name, number, percent
from manyseeds.report.frame_rows import Row, rows_of
from manyseeds.statistics.pairs import ALL

WIDTH, HEIGHT = 600, 160

_MARGIN = 12
_MOST_POINTS = 120
"""Points of a curve: bounds its share of the page to about 25 kB."""


@dataclass(frozen=True)
class BestOfSlider:
    """The slider of one claim.

    Attributes
    ----------
    series
        By backend: its name, and for every k a list of k, x, y, the upper and lower end of the
        interval on the curve, and the sentence. Plain data, written into the page as JSON.
    last
        The largest k of the first series.
    sentences
        Some of the first series' sentences, for pages without a slider.
    """

    series: tuple[dict[str, Any], ...]
    last: int
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class EvenChanceRow:
    """The number of tries that give a 50 % chance of reporting a factor."""

    figure: str
    reached: str
    needed: str
    interval: str


def picker(curves: pd.DataFrame, unit: Unit) -> BestOfSlider | None:
    """Return the slider for a claim's rows of `confession_table`; None if it has no curve."""
    curves = curves[curves["expected"].notna()]
    known = (curves["quantity"] == "improvement") & np.isfinite(curves["expected"].astype(float))
    improvements = curves[known]
    if improvements.empty:
        return None
    names = list(improvements["backend"].unique())
    order = sorted(names, key=lambda name: name != ALL)  # stable: the others as they come
    if len(order) == 2:  # one backend: its curve is that of all
        order = [name for name in order if name != ALL]
    factors = {
        (row["backend"], row["k"]): row for row in rows_of(curves[curves["quantity"] == "factor"])
    }
    scale = _Scale.of(improvements)
    series = tuple(
        {
            "name": backend_name(name),
            "points": [
                [*scale.place(row), _sentence(row, factors.get((name, row["k"])), unit)]
                for row in _thinned(rows_of(improvements[improvements["backend"] == name]))
            ],
        }
        for name in order
    )
    first: list[list[Any]] = series[0]["points"]  # type: ignore[assignment]
    return BestOfSlider(series, int(first[-1][0]), tuple(_few(first)))


def cherry_rows(table: pd.DataFrame) -> tuple[EvenChanceRow, ...]:
    """Return a claim's rows of `cherries_table` over all backends."""
    last = table["backend"].iloc[-1] if len(table) else ""
    return tuple(
        EvenChanceRow(
            figure=f"{row['figure']:.3g}",
            reached=f"{percent(row['reached'])} of {row['tries']:,}",
            needed=_tries(row["k"]),
            interval=_tries_interval(row["low"], row["high"]),
        )
        for row in rows_of(table[table["backend"] == last])
    )


@dataclass(frozen=True)
class _Scale:
    """The position of k and of an improvement on the slider's curve."""

    last: int
    bottom: float
    top: float

    @classmethod
    def of(cls, curves: pd.DataFrame) -> _Scale:
        ends = curves[["expected", "expected_low", "expected_high"]].to_numpy(float)
        finite = ends[np.isfinite(ends)]
        bottom, top = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
        return cls(int(curves["k"].max()), float(bottom), float(top))

    def place(self, row: Row) -> tuple[float | int, ...]:
        """Return k, x, y, and the ends of the interval; an unknown end is replaced by y."""
        k = int(row["k"])
        span = WIDTH - 2 * _MARGIN
        x = _MARGIN + span * (math.log(k) / math.log(self.last) if self.last > 1 else 0.5)
        y = self._height(row["expected"], row["expected"])
        ends = (self._height(row[f"expected_{end}"], row["expected"]) for end in ("high", "low"))
        return (k, round(x, 1), y, *ends)

    def _height(self, value: float, otherwise: float) -> float:
        value = value if math.isfinite(value) else otherwise
        share = (value - self.bottom) / (self.top - self.bottom) if self.top > self.bottom else 0.5
        return round(HEIGHT - _MARGIN - (HEIGHT - 2 * _MARGIN) * share, 1)


def _thinned(rows: Sequence[Row]) -> list[Row]:
    """Return all rows of a short curve; of a long one, rows ever further apart up to the last."""
    if len(rows) <= _MOST_POINTS:
        return list(rows)
    chosen = np.geomspace(1, len(rows), _MOST_POINTS).round().astype(int) - 1
    return [rows[place] for place in np.unique(chosen)]


def _sentence(row: Row, factor: Row | None, unit: Unit) -> str:
    k = int(row["k"])
    gain = unit.gain(row["expected"]) + unit.difference
    interval = unit.interval(row["expected_low"], row["expected_high"])
    text = f"With {k:,} {'tries' if k > 1 else 'try'}, "
    text += "a cherry-picker" if k > 1 else "and nothing to pick from, one"
    text += f" reports {gain} on average (95{SPACE}% interval {interval})"
    return f"{text}{_factor(factor)}."


def _factor(row: Row | None) -> str:
    """Return the factor of errors: the mean, or the median where the mean is infinite."""
    if row is None:
        return ""
    name = "expected" if math.isfinite(row["expected"]) else "median"
    ends = [number(row[f"{name}_{end}"], 2) for end in ("low", "high")]
    note = "" if name == "expected" else ", in the median search"
    return f", or an error divided by {number(row[name], 2)}{note} ({ends[0]} to {ends[1]})"


def _few(points: list[list[Any]]) -> Iterator[str]:
    """Yield the sentences of 1, 3, 10, 30, … tries, and of all."""
    shown = {1, 3, 10, 30, 100, 300, 1000, int(points[-1][0])}
    yield from (point[-1] for point in points if point[0] in shown)


def _tries(value: float) -> str:
    return number(math.ceil(value), 0) if math.isfinite(value) else number(value, 0)


def _tries_interval(low: float, high: float) -> str:
    if math.isnan(low):
        return "–"
    return f"{_tries(low)} or more" if math.isinf(high) else f"{_tries(low)} to {_tries(high)}"
