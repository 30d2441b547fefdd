"""What the chapter claims, and which claims of the suites put it to the test."""

from __future__ import annotations

import tomllib

from pydantic import Field, model_validator

from manyseeds.model import Model, frozen
from manyseeds.suite.files import CHAPTER, suites_folder


class ChapterClaim(Model):
    """A claim of the chapter.

    Attributes
    ----------
    number
        From 1.
    asked
        The claims of suites that put it to the test, as "suite.claim".
    unasked
        What of it no suite asks, and why; None if nothing.
    """

    number: int = Field(ge=1)
    sentence: str
    asked: tuple[str, ...] = ()
    unasked: str | None = None

    @model_validator(mode="after")
    def _check(self) -> ChapterClaim:
        if not self.asked and self.unasked is None:
            raise ValueError(f"claim {self.number} is asked nowhere: say why in `unasked`")
        return self


def chapter_claims() -> tuple[ChapterClaim, ...]:
    """Return all claims, in order."""
    text = (suites_folder() / CHAPTER).read_text(encoding="utf-8")
    return tuple(ChapterClaim(**frozen(row)) for row in tomllib.loads(text)["claims"])
