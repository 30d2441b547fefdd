"""Data augmentation: the changes drawn for every image, in NumPy, and their effect.

The geometric changes of an image are one affine map, the others a gain and an offset. They are
drawn here, an epoch at a time, and handed to the backend, which changes the images inside its
training step as `augmented` does.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from manyseeds.techniques.technique import Technique, by_name

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Changes:
    """The changes of images, in the order the images are seen.

    Attributes
    ----------
    affine
        Maps of places, [..., 2, 3]: the new pixel at (x, y) takes the old value at
        affine (x, y, 1), bilinearly interpolated, 0 outside the image. x counts columns and y
        rows, from the image's centre.
    gain, offset
        [...]: after the move a pixel v becomes (v - m) gain + m + offset, where m is the mean of
        the moved image.
    """

    affine: Floats
    gain: Floats
    offset: Floats

    def __getitem__(self, index: Any) -> Changes:
        """Return the changes of some lanes and images."""
        return Changes(self.affine[index], self.gain[index], self.offset[index])


class _Augmentation(Technique):
    kind: ClassVar[str] = "augmentation"

    @abstractmethod
    def draw(self, generator: np.random.Generator, count: int, size: tuple[int, int]) -> _Drawn:
        """Draw this change for `count` images of `size` (rows, columns)."""


@dataclass(frozen=True)
class _Drawn:
    """One kind of change, drawn for `count` images.

    Attributes
    ----------
    place
        Maps from new places to old ones, [count, 3, 3].
    gain, offset
        [count].
    """

    place: Floats
    gain: Floats
    offset: Floats


def _drawn(
    count: int,
    *,
    linear: Floats | None = None,
    move: Floats | None = None,
    gain: Floats | None = None,
    offset: Floats | None = None,
) -> _Drawn:
    """Return a drawn change; a part that is left out changes nothing.

    Parameters
    ----------
    linear, move
        The two parts of the map from new places to old ones: [count, 2, 2] and [count, 2].
    gain, offset
        [count].
    """
    place = np.tile(np.eye(3), (count, 1, 1))
    if linear is not None:
        place[:, :2, :2] = linear
    if move is not None:
        place[:, :2, 2] = move
    return _Drawn(
        place,
        np.ones(count) if gain is None else gain,
        np.zeros(count) if offset is None else offset,
    )


class Shift(_Augmentation):
    """Moved by up to `pixels` in both directions, fractions of a pixel included."""

    source: ClassVar[str] = "Géron 2019, ch. 11 and ch. 3, exercise 2"
    name: Literal["shift"] = "shift"
    pixels: float = Field(default=2.0, ge=0)

    def draw(self, generator: np.random.Generator, count: int, size: tuple[int, int]) -> _Drawn:
        """Draw the horizontal and the vertical move uniformly."""
        return _drawn(count, move=generator.uniform(-self.pixels, self.pixels, (count, 2)))


class Rotate(_Augmentation):
    """Rotated about the centre by up to `degrees` either way."""

    source: ClassVar[str] = "Géron 2019, ch. 11"
    name: Literal["rotate"] = "rotate"
    degrees: float = Field(default=10.0, ge=0, le=180)

    def draw(self, generator: np.random.Generator, count: int, size: tuple[int, int]) -> _Drawn:
        """Draw the angle uniformly."""
        angle = np.radians(generator.uniform(-self.degrees, self.degrees, count))
        cos, sin = np.cos(angle), np.sin(angle)
        return _drawn(count, linear=np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1))


class Resize(_Augmentation):
    """Enlarged or shrunk about the centre, by a factor from 1 - `share` to 1 + `share`."""

    source: ClassVar[str] = "Géron 2019, ch. 11"
    name: Literal["resize"] = "resize"
    share: float = Field(default=0.1, ge=0, lt=1)

    def draw(self, generator: np.random.Generator, count: int, size: tuple[int, int]) -> _Drawn:
        """Draw the factor uniformly."""
        factor = generator.uniform(1 - self.share, 1 + self.share, count)
        return _drawn(count, linear=np.eye(2) / factor[:, None, None])


class Crop(_Augmentation):
    """A window of 1 - `share` of each side, placed anywhere, enlarged to the whole image."""

    source: ClassVar[str] = "Krizhevsky, Sutskever and Hinton 2012; Géron 2019, ch. 11"
    name: Literal["crop"] = "crop"
    share: float = Field(default=0.1, ge=0, lt=1)

    def draw(self, generator: np.random.Generator, count: int, size: tuple[int, int]) -> _Drawn:
        """Draw the place of the window uniformly."""
        rows, columns = size
        free = np.array([columns - 1, rows - 1]) * self.share / 2
        move = generator.uniform(-1, 1, (count, 2)) * free
        return _drawn(count, linear=np.tile(np.eye(2) * (1 - self.share), (count, 1, 1)), move=move)


class HorizontalFlip(_Augmentation):
    """Left and right exchanged, with the given probability."""

    source: ClassVar[str] = "Krizhevsky, Sutskever and Hinton 2012; Géron 2019, ch. 11"
    name: Literal["horizontal_flip"] = "horizontal_flip"
    probability: float = Field(default=0.5, ge=0, le=1)

    def draw(self, generator: np.random.Generator, count: int, size: tuple[int, int]) -> _Drawn:
        """Draw for each image whether it is flipped."""
        sign = np.where(generator.random(count) < self.probability, -1.0, 1.0)
        linear = np.tile(np.eye(2), (count, 1, 1))
        linear[:, 0, 0] = sign
        return _drawn(count, linear=linear)


class Contrast(_Augmentation):
    """Distances from the image's mean times a factor from 1 - `share` to 1 + `share`."""

    source: ClassVar[str] = "Géron 2019, ch. 11"
    name: Literal["contrast"] = "contrast"
    share: float = Field(default=0.2, ge=0, lt=1)

    def draw(self, generator: np.random.Generator, count: int, size: tuple[int, int]) -> _Drawn:
        """Draw the factor uniformly."""
        return _drawn(count, gain=generator.uniform(1 - self.share, 1 + self.share, count))


class Brightness(_Augmentation):
    """The same number added to all pixels, up to `most` either way."""

    source: ClassVar[str] = "Géron 2019, ch. 11"
    name: Literal["brightness"] = "brightness"
    most: float = Field(default=0.1, ge=0)

    def draw(self, generator: np.random.Generator, count: int, size: tuple[int, int]) -> _Drawn:
        """Draw the number uniformly."""
        return _drawn(count, offset=generator.uniform(-self.most, self.most, count))


Augmentation = Annotated[
    Annotated[
        Shift | Rotate | Resize | Crop | HorizontalFlip | Contrast | Brightness,
        Field(discriminator="name"),
    ],
    BeforeValidator(by_name),
]


def draw_changes(
    kinds: Sequence[Augmentation],
    generator: np.random.Generator,
    count: int,
    size: tuple[int, int],
) -> Changes:
    """Draw the changes of `count` images of `size` (rows, columns), one kind after the other."""
    place, gain, offset = np.tile(np.eye(3), (count, 1, 1)), np.ones(count), np.zeros(count)
    for kind in kinds:
        drawn = kind.draw(generator, count, size)
        # A later change happens to the changed image, so its places are looked up first.
        place = place @ drawn.place
        gain, offset = gain * drawn.gain, offset + drawn.offset
    return Changes(place[:, :2].copy(), gain, offset)


def augmented(images: Floats, changes: Changes) -> Floats:
    """Return the changed images; backends compute this definition inside their training step.

    Parameters
    ----------
    images
        [images, rows, columns].
    changes
        The change of every image, [images, ...].

    Returns
    -------
    Floats
        [images, rows, columns], in the precision of `images`.
    """
    count, rows, columns = images.shape
    centre = np.array([(columns - 1) / 2, (rows - 1) / 2])
    y, x = np.mgrid[:rows, :columns]
    places = np.stack([x - centre[0], y - centre[1], np.ones_like(x)], axis=-1).astype(images.dtype)
    old = np.einsum("nij,yxj->nyxi", changes.affine, places) + centre
    low = np.floor(old)
    part = old - low
    values = np.zeros_like(images)
    image = np.arange(count)[:, None, None]
    for right in (0, 1):
        for below in (0, 1):
            column, row = low[..., 0] + right, low[..., 1] + below
            inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
            weight = np.abs(1 - right - part[..., 0]) * np.abs(1 - below - part[..., 1])
            at = (np.where(inside, row, 0).astype(int), np.where(inside, column, 0).astype(int))
            values += np.where(inside, images[image, *at] * weight, 0)
    mean = values.mean(axis=(1, 2), keepdims=True)
    gain, offset = changes.gain[:, None, None], changes.offset[:, None, None]
    changed: Floats = (values - mean) * gain + mean + offset
    return changed
