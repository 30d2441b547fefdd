"""The claims of the chapter, and the claims of the suites that test them."""

from __future__ import annotations

from pydantic import Field, model_validator

from manyseeds.model import Model, frozen
from manyseeds.model.toml_text import parse_toml, read_text
from manyseeds.suite.files import CHAPTER, suites_folder


class ChapterClaim(Model):
    """A claim of the chapter.

    Attributes
    ----------
    number
        The claim's number, from 1.
    sentence
        The claim in the words of the chapter.
    asked
        The claims of suites that test it, as "suite.claim".
    unasked
        The part that no suite tests, and why; None if there is none.
    """

    number: int = Field(ge=1)
    sentence: str
    asked: tuple[str, ...] = ()
    unasked: str | None = None

    @model_validator(mode="after")
    def _check(self) -> ChapterClaim:
        if not self.asked and self.unasked is None:
            raise ValueError(f"no suite tests claim {self.number}: say why in `unasked`")
        return self


def chapter_claims() -> tuple[ChapterClaim, ...]:
    """Return all claims of the chapter, in the order of their numbers."""
    rows = parse_toml(read_text(suites_folder() / CHAPTER))["claims"]
    return tuple(ChapterClaim(**frozen(row)) for row in rows)
