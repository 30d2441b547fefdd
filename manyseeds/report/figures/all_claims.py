"""All claims of a suite in one figure: the effect, both its intervals, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from manyseeds.presentation import theme
from manyseeds.presentation.wording import (
    ProbabilityUnit,
    RatioUnit,
    Unit,
    backend_name,
    claim_unit,
)
from manyseeds.report.frame_rows import Row, rows_of
from manyseeds.statistics.pairs import ALL
from manyseeds.suite.claims import Claim, TimeToTarget

_LINE = 0.165
"""Height of a line in inches."""

_DWARFS = 6.0
"""An effect this many times the median extent would make the other intervals unreadable."""

_MARKS: Mapping[str, tuple[str, str, bool]] = {
    "holds": ("o", theme.PALETTE[2], True),
    "reversed": ("X", theme.PALETTE[3], True),
    "negligible": ("s", theme.PALETTE[0], True),
    "inconclusive": ("D", theme.MUTED, False),
}
"""By verdict: marker, colour, and whether the marker is filled."""


@dataclass(frozen=True)
class _Block:
    """A claim: a line for its name, and one line for each of its rows below."""

    claim: Claim
    rows: Sequence[Row]
    top: int

    @property
    def bottom(self) -> int:
        return self.top + 1 + len(self.rows)


def claims_figure(claims: Sequence[Claim], table: pd.DataFrame, name: str) -> theme.RenderedFigure:
    """Draw one panel for each unit of the claims' effects, two where a few dwarf the others.

    `table` holds rows of `claims_table`; of a claim with several cases, the one over all is drawn.
    """
    panels = list(_panels(claims, table))
    lines = [blocks[-1].bottom for _, blocks in panels]
    with theme.style():
        figure = theme.blank(_LINE * sum(lines) + 0.62 * len(panels) + 0.75)
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=lines)[:, 0]
        for axes, (unit, blocks) in zip(grid, panels, strict=True):
            _panel(axes, unit, blocks)
        figure.legend(handles=_keys(table), loc="outside lower center", ncols=4)
        return theme.rendered(figure, name, "Every claim", _CAPTION)


def _panels(
    claims: Sequence[Claim], table: pd.DataFrame
) -> Iterator[tuple[Unit, Sequence[_Block]]]:
    """Yield the claims of each panel, each with its rows: the backends, then all together."""
    units: dict[Unit, list[tuple[Claim, list[Row]]]] = {}
    for claim in claims:
        units.setdefault(claim_unit(claim), []).append((claim, _rows(claim, table)))
    for unit, members in units.items():
        extents = [_extent(rows) for _, rows in members]
        edge = _edge(extents)
        for large in (False, True):
            part = [
                member
                for member, size in zip(members, extents, strict=True)
                if (size > edge) == large
            ]
            if part:
                yield unit, _stacked(part)


def _rows(claim: Claim, table: pd.DataFrame) -> list[Row]:
    """Return a claim's rows over all cases; for a single backend only its own row."""
    rows = table[table["claim"] == claim.name]
    if (rows["case"] == ALL).any():
        rows = rows[rows["case"] == ALL]
    if rows["backend"].nunique() == 2:
        rows = rows[rows["backend"] != ALL]
    return rows_of(rows)


def _stacked(claims_with_rows: Sequence[tuple[Claim, list[Row]]]) -> list[_Block]:
    blocks: list[_Block] = []
    for claim, rows in claims_with_rows:
        blocks.append(_Block(claim, rows, blocks[-1].bottom if blocks else 0))
    return blocks


def _extent(rows: Sequence[Row]) -> float:
    """Return the largest distance of a claim's effects and intervals from no effect."""
    names = ("improvement", "low", "high", "family_low", "family_high")
    values = np.abs([float(row[name]) for row in rows for name in names])
    return float(values.max(initial=0.0, where=np.isfinite(values)))


def _edge(extents: Sequence[float]) -> float:
    """Return the extent beyond which a claim gets its own panel; infinity if all fit in one."""
    order = np.sort([extent for extent in extents if extent > 0])
    if len(order) < 3 or order[-1] < _DWARFS * np.median(order):
        return np.inf
    gaps = order[1:] / order[:-1]
    upper = gaps[len(gaps) // 2 :]  # only a few may leave
    return float(order[len(gaps) - len(upper) + int(upper.argmax())])


def _panel(axes: Axes, unit: Unit, blocks: Sequence[_Block]) -> None:
    if isinstance(unit, RatioUnit):
        axes.set_xscale("log")
    axes.axvline(unit.scaled(0.0), color=theme.MUTED, lw=1.2)
    labels: dict[float, str] = {}
    for block in blocks:
        _heading(axes, block, unit)
        for line, row in enumerate(block.rows, start=block.top + 1):
            _line(axes, line, row, unit)
            labels[line] = backend_name(str(row["backend"]))
    axes.set_yticks(list(labels), list(labels.values()), fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(blocks[-1].bottom - 0.4, -0.6)
    axes.yaxis.grid(visible=False)
    axes.set_xlabel(_axis_label(unit, blocks))
    if isinstance(unit, RatioUnit):
        axes.set_xlim(axes.get_xlim())
        theme.logarithmic(axes.xaxis, each=True)


def _heading(axes: Axes, block: _Block, unit: Unit) -> None:
    """Write a claim's name, and shade the effects that do not count."""
    axes.text(
        0.004, block.top, theme.shortened(block.claim.name, 70), va="center", fontsize=8.5,
        fontweight="bold", transform=axes.get_yaxis_transform(),
        bbox={"boxstyle": "square,pad=0.1", "facecolor": theme.PAPER, "alpha": 0.85, "lw": 0},
    )  # fmt: skip
    if block.top:
        axes.axhline(block.top - 0.5, color=theme.GRID, lw=0.7)
    least = max((float(row["least_effect"]) for row in block.rows), default=0.0)
    low, high = unit.scaled(-least), unit.scaled(least)
    axes.add_patch(
        Rectangle((low, block.top + 0.5), high - low, len(block.rows), color=theme.MUTED,
                  alpha=0.13, lw=0)
    )  # fmt: skip
    for edge in (low, high):
        axes.plot(
            [edge, edge], [block.top + 0.5, block.bottom - 0.5], color=theme.MUTED, lw=0.9, ls=":"
        )


def _line(axes: Axes, line: int, row: Row, unit: Unit) -> None:
    """Draw an effect with its plain interval (thick) and its corrected interval (thin)."""
    mark, tone, filled = _MARKS[str(row["verdict"])]
    ends = {name: unit.scaled(float(row[name])) for name in ("low", "high")}
    family = [unit.scaled(float(row[f"family_{name}"])) for name in ("low", "high")]
    pooled = row["backend"] == ALL
    if np.isfinite(family).all():
        axes.plot(family, [line, line], color=tone, lw=1.0, marker="|", ms=5)
    if np.isfinite(list(ends.values())).all():
        axes.plot(
            list(ends.values()), [line, line], color=tone, lw=3.4, alpha=0.55,
            solid_capstyle="butt",
        )  # fmt: skip
    middle = unit.scaled(float(row["improvement"]))
    if np.isfinite(middle):
        axes.plot(
            middle, line, marker=mark, ms=6.5 if pooled else 5, color=tone, ls="", zorder=4,
            mfc=tone if filled else theme.PAPER, mew=1.1,
        )  # fmt: skip
    verdict = str(row["verdict"]) if row["pairs"] else "no pairs"
    axes.text(
        1.012, line, verdict, transform=axes.get_yaxis_transform(), va="center",
        fontsize=8, fontweight="bold" if pooled else "normal",
    )  # fmt: skip


def _axis_label(unit: Unit, blocks: Sequence[_Block]) -> str:
    if isinstance(unit, ProbabilityUnit):
        return "Probability of improvement, %"
    if isinstance(unit, RatioUnit):
        return "Ratio of errors: how many times smaller"
    if any(isinstance(block.claim, TimeToTarget) for block in blocks):
        return f"{unit.metric.capitalize()} sooner"
    if unit.metric == "Kendall's tau":
        return "Kendall's tau with the order claimed"
    return f"Improvement of {unit.metric}" + (", points" if unit.factor > 1 else "")


def _keys(table: pd.DataFrame) -> list[Line2D | Patch]:
    verdicts = [verdict for verdict in _MARKS if verdict in set(table["verdict"])]
    marks = [
        Line2D([], [], color=tone, marker=mark, mfc=tone if filled else theme.PAPER, ls="",
               label=verdict)
        for verdict, (mark, tone, filled) in ((v, _MARKS[v]) for v in verdicts)
    ]  # fmt: skip
    return [
        *marks,
        Line2D([], [], color=theme.INK, lw=3.4, alpha=0.55, label="95 % interval"),
        Line2D([], [], color=theme.INK, lw=1.0, marker="|", ms=5, label="corrected interval"),
        Patch(color=theme.MUTED, alpha=0.13, label="too small to count"),
    ]


_CAPTION = (
    "How to read this figure: effects right of the line of no effect are in favour of the claim. "
    "The thick line is the 95 % interval of the effect; the thin one is the wider interval that "
    "the verdict rests on, corrected for the number of claims (Holm). The two coincide for a claim "
    "that was judged last or alone. Effects within the shaded band are too small to count. Marker "
    "and colour show the verdict, which is written at the right. “All, by seed” averages the "
    "backends seed by seed."
)
