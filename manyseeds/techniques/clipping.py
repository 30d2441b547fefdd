"""Gradient clipping: limits on a gradient before the optimizer sees it.

The gradient is that of the whole training loss, penalties included, with respect to the trained
variables; each lane is clipped on its own.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from manyseeds.techniques.technique import Technique, by_name


class _Clipping(Technique):
    kind: ClassVar[str] = "clipping"


class ClipValue(_Clipping):
    """Each component cut to [-limit, limit]: the direction may change."""

    source: ClassVar[str] = "Mikolov 2012; Géron 2019, ch. 11"
    name: Literal["clip_value"] = "clip_value"
    limit: float = Field(default=1.0, gt=0)


class ClipNorm(_Clipping):
    """The gradient g of each variable times min(1, limit / ||g||), as in Keras' clipnorm."""

    source: ClassVar[str] = "Pascanu et al. 2013; Géron 2019, ch. 11"
    name: Literal["clip_norm"] = "clip_norm"
    limit: float = Field(default=1.0, gt=0)


class GlobalClipNorm(_Clipping):
    """The whole gradient g times min(1, limit / ||g||): the direction stays."""

    source: ClassVar[str] = "Pascanu et al. 2013, Algorithm 1"
    name: Literal["global_clip_norm"] = "global_clip_norm"
    limit: float = Field(default=1.0, gt=0)


Clipping = Annotated[
    Annotated[ClipValue | ClipNorm | GlobalClipNorm, Field(discriminator="name")],
    BeforeValidator(by_name),
]
