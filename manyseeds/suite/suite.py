"""A suite: recipes, seeds, claims and published figures, as frozen data.

The claims, their least effects and the primary metric are fixed here before anything is trained; a
run's plan records the suite's text and its SHA-256. `suite.reader` describes the files.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from manyseeds.errors import RequestError, unknown
from manyseeds.model import Model
from manyseeds.model.limits import MOST_RECIPES, MOST_SEEDS
from manyseeds.model.names import Line, Name, Text, check_distinct
from manyseeds.randomness.streams import STREAMS, Stream
from manyseeds.suite.claim_checks import check_claim
from manyseeds.suite.claims import Claim, PrimaryMetric
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.recorded import how_to_record, recorded_metrics


def _without_repetition(streams: tuple[Stream, ...]) -> tuple[Stream, ...]:
    for stream in streams:
        if streams.count(stream) > 1:
            raise ValueError(f"{stream!r} appears twice")
    return streams


OTHER_PAGES = frozenset({"index", "chapter", "techniques"})
"""The names of the report's pages that are about no single suite."""

QUICK_ENDING = "-quick"
"""The end of the address of a quick form's page."""

Streams = Annotated[
    tuple[Stream, ...],
    Field(min_length=1, max_length=len(STREAMS)),
    AfterValidator(_without_repetition),
]


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
    seeds: int = Field(ge=2, le=MOST_SEEDS)

    @model_validator(mode="after")
    def _check(self) -> VarianceStudy:
        check_distinct("recipes", self.recipes)
        return self


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

    name: Name
    title: Line
    description: Text
    seeds: int = Field(ge=1, le=MOST_SEEDS)
    lanes: int = Field(ge=1, le=MOST_SEEDS)
    solo: int = Field(default=0, ge=0, le=MOST_SEEDS)
    varied: Streams = ("init", "order", "dropout", "augment")
    primary: PrimaryMetric = "test_accuracy"
    cells: tuple[Cell, ...] = Field(min_length=1)
    claims: tuple[Claim, ...] = Field(default=(), max_length=MOST_RECIPES)
    variance: VarianceStudy | None = None

    @model_validator(mode="after")
    def _check(self) -> Suite:
        if self.name.casefold() in OTHER_PAGES or self.name.casefold().endswith(QUICK_ENDING):
            raise ValueError(
                f"name: {self.name!r} is kept for another page of the report: choose another name"
            )
        recipes: dict[str, list[Recipe]] = {}
        for cell in self.cells:
            recipes.setdefault(cell.recipe.name, []).append(cell.recipe)
        check_distinct("recipes", recipes)
        if len({(cell.recipe.name, cell.case) for cell in self.cells}) < len(self.cells):
            raise ValueError("a recipe is there twice in one case")
        check_distinct("claims", [claim.name for claim in self.claims])
        if not any(self.primary in recorded_metrics(c.recipe, self.varied) for c in self.cells):
            raise ValueError(
                f"primary: no recipe records {self.primary}: {how_to_record(self.primary)}"
            )
        for claim in self.claims:
            try:
                check_claim(claim, recipes, self.varied)
            except ValueError as error:
                raise ValueError(f"claim {claim.name!r}: {error}") from None
        for name in self.variance.recipes if self.variance else ():
            if name not in recipes:
                raise ValueError(f"variance: {unknown('recipe', name, recipes)}")
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
