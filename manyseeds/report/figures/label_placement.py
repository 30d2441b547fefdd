"""Labels next to points, placed so that they overlap neither points nor each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from manyseeds.presentation import theme
from manyseeds.statistics.bootstrap import Floats

_WIDE, _HIGH = 0.62, 1.25
_MARK = 3.5
"""Half the size of a marker, in points."""
_APART = 2.0
"""Space left and right of a label, in points, so that two numbers do not read as one."""
_NEAR = 2.0
_RADII = (_NEAR, 9.0, 15.0, 22.0, 30.0, 40.0)
_ANGLES = np.deg2rad([0, 180, 90, 270, 45, 135, 315, 225, 22, 158, 338, 202, 68, 112, 248, 292])

Box = tuple[float, float, float, float]
"""Left, bottom, right and top, in points of the figure."""
Anchored = tuple[Floats, Floats]
"""A point, and the middle of a label for it, in points of the figure."""


class LabelPlacer:
    """Places labels one after the other, each as near to its points as there is room.

    The axes' limits, scales and position must be final.
    """

    def __init__(self, axes: Axes, points: Floats, size: float) -> None:
        """Store the points that no label may cover, in data coordinates [points, 2]."""
        self._axes, self._size = axes, size
        self._scale = 1 / axes.figure.dpi_scale_trans.transform((1 / 72, 0))[0]
        self._points = self._scale * axes.transData.transform(points)
        self._taken: list[Box] = [_around(point, (_MARK, _MARK)) for point in self._points]
        x, y, width, height = (self._scale * part for part in axes.get_window_extent().bounds)
        self._frame: Box = (x, y, x + width, y + height)

    def place(self, text: str, own: NDArray[np.bool_]) -> bool:
        """Write a label next to one of its own points, and return whether there was room."""
        half = len(text) * _WIDE * self._size / 2 + _APART, _HIGH * self._size / 2
        for anchor, centre in self._candidates(self._points[own], half):
            box = _around(centre, half)
            if self._free(box):
                self._taken.append(box)
                self._write(text, anchor, centre)
                return True
        return False

    def _candidates(self, anchors: Floats, half: tuple[float, float]) -> Iterator[Anchored]:
        """Yield a point and a position for the middle of its label, the nearest first."""
        for radius in _RADII:
            for angle in _ANGLES:
                way = np.array([np.cos(angle), np.sin(angle)])
                edge = way * half + way * (_MARK + radius)
                for anchor in anchors:
                    yield anchor, anchor + edge

    def _free(self, box: Box) -> bool:
        left, bottom, right, top = self._frame
        inside = box[0] >= left and box[1] >= bottom and box[2] <= right and box[3] <= top
        return inside and not any(_overlap(box, other) for other in self._taken)

    def _write(self, text: str, anchor: Floats, centre: Floats) -> None:
        place = self._axes.transData.inverted().transform(np.stack([anchor, centre]) / self._scale)
        beside = len(text) * _WIDE * self._size / 2 + _APART + _MARK + _RADII[1]
        far = np.hypot(*(centre - anchor)) > beside + 1
        if far:
            self._axes.plot(*place.T, color=theme.MUTED, lw=0.5, zorder=1)
        self._axes.text(
            place[1, 0], place[1, 1], text, ha="center", va="center", fontsize=self._size, zorder=6,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": theme.PAPER, "alpha": 0.8, "lw": 0},
        )  # fmt: skip


def _around(middle: Floats, half: tuple[float, float]) -> Box:
    (x, y), (width, height) = middle, half
    return x - width, y - height, x + width, y + height


def _overlap(box: Box, other: Box) -> bool:
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
