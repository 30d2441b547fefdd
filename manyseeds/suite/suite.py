"""A suite: recipes, seeds, claims and published figures, as frozen data.

The claims, their least effects and the primary metric are fixed here before anything is trained; a
run's plan records the suite's text and its SHA-256. `suite.reader` describes the files.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from manyseeds.errors import RequestError, unknown
from manyseeds.model import Model
from manyseeds.randomness.streams import Stream
from manyseeds.suite.claims import Claim, PrimaryMetric
from manyseeds.suite.recipe import Recipe


def _without_repetition(streams: tuple[Stream, ...]) -> tuple[Stream, ...]:
    for stream in streams:
        if streams.count(stream) > 1:
            raise ValueError(f"{stream!r} appears twice")
    return streams


Streams = Annotated[tuple[Stream, ...], Field(min_length=1), AfterValidator(_without_repetition)]


class Cell(Model):
    """A recipe in one case of the suite's parameter; the case is "" if it does not depend on it."""

    case: str
    recipe: Recipe


class VarianceStudy(Model):
    """Additional trainings of some recipes, with one stream varied and the others pinned.

    Attributes
    ----------
    recipes, streams
        The recipes, and the streams that are varied one at a time.
    seeds
        Number of seeds for each stream.
    """

    recipes: tuple[str, ...] = Field(min_length=1)
    streams: Streams
    seeds: int = Field(ge=2)


class Suite(Model):
    """Recipes to train from many seeds, and claims about their results.

    Attributes
    ----------
    name, title, description
        The suite's name, and texts for people.
    seeds
        Number of seeds; seeds 0 … seeds - 1 are trained.
    lanes
        Number of seeds that are trained together as one cohort.
    solo
        Number of solo trainings of each recipe, for wall time.
    varied
        The streams that a seed drives.
    primary
        The metric that the claims are about.
    cells
        The recipes, in all their cases.
    claims
        The claims that are judged by the results.
    variance
        Additional trainings with one stream varied at a time; None for none.
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
        named = [(f"claim {c.name!r}", recipe) for c in self.claims for recipe in c.compared()]
        if self.variance:
            named += [("variance", recipe) for recipe in self.variance.recipes]
        for place, recipe in named:
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
        """Return a recipe in one of its cases.

        Raises
        ------
        RequestError
            There is none; the message names the most similar recipe.
        """
        for cell in self.cells:
            if cell.recipe.name == name and cell.case == case:
                return cell.recipe
        raise RequestError(f"suite {self.name!r}: {unknown('recipe', name, self.recipes())}")
