"""A suite: what is asked, as frozen data: recipes, seeds, claims and published figures.

The claims, their least effects and the primary metric are fixed here before anything is trained;
a run's plan holds the text and its SHA-256. How a suite is written is in `suite.reader`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from manyseeds.errors import RequestError, unknown
from manyseeds.model import Model
from manyseeds.randomness.streams import Stream
from manyseeds.suite.claims import Claim, PrimaryMetric
from manyseeds.suite.recipe import Recipe


def _once(streams: tuple[Stream, ...]) -> tuple[Stream, ...]:
    for stream in streams:
        if streams.count(stream) > 1:
            raise ValueError(f"{stream!r} is there twice")
    return streams


Streams = Annotated[tuple[Stream, ...], Field(min_length=1), AfterValidator(_once)]


class Cell(Model):
    """A recipe in one case of the suite's parameter; the case is "" where it has none."""

    case: str
    recipe: Recipe


class VarianceStudy(Model):
    """Which recipes are also trained with each stream varied alone, the others pinned."""

    recipes: tuple[str, ...] = Field(min_length=1)
    streams: Streams
    seeds: int = Field(ge=2)


class Suite(Model):
    """What is asked.

    Attributes
    ----------
    name, title, description
        For people.
    seeds
        Seeds 0 … seeds - 1 are trained.
    lanes
        Seeds trained together as one cohort.
    solo
        Trainings alone, for wall time, of each recipe.
    varied
        The streams a seed drives.
    primary
        The metric the claims are about.
    cells
        What is trained.
    claims
        What is asked of the results.
    variance
        Runs with one stream varied at a time.
    """

    name: str
    title: str
    description: str
    seeds: int = Field(ge=1)
    lanes: int = Field(ge=1)
    solo: int = Field(default=0, ge=0)
    varied: Streams = ("init", "order", "dropout", "augment")
    primary: PrimaryMetric = "test_accuracy"
    cells: tuple[Cell, ...] = Field(min_length=1)
    claims: tuple[Claim, ...] = ()
    variance: VarianceStudy | None = None

    @model_validator(mode="after")
    def _check(self) -> Suite:
        names = self.recipes()
        asked = [(f"claim {c.name!r}", recipe) for c in self.claims for recipe in c.compared()]
        if self.variance:
            asked += [("variance", recipe) for recipe in self.variance.recipes]
        for place, recipe in asked:
            if recipe not in names:
                raise ValueError(f"{place}: {unknown('recipe', recipe, names)}")
        return self

    def recipes(self) -> tuple[str, ...]:
        """Return the names of the recipes, in the suite's order."""
        return tuple(dict.fromkeys(cell.recipe.name for cell in self.cells))

    def cases(self) -> tuple[str, ...]:
        """Return the cases, in the suite's order."""
        return tuple(dict.fromkeys(cell.case for cell in self.cells))

    def recipe(self, name: str, case: str) -> Recipe:
        """Return one recipe, or raise a `RequestError` that names the nearest."""
        for cell in self.cells:
            if cell.recipe.name == name and cell.case == case:
                return cell.recipe
        raise RequestError(f"suite {self.name!r}: {unknown('recipe', name, self.recipes())}")
