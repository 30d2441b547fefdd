"""A suite: what is asked, as frozen data: recipes, seeds, claims and published figures.

The claims, their least effects and the primary metric are fixed here before anything is trained;
a run's plan holds the text and its SHA-256. How a suite is written is in `manyseeds.suite_file`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from manyseeds.errors import RequestError, unknown
from manyseeds.model import Model
from manyseeds.recipe import Recipe
from manyseeds.streams import Stream

PrimaryMetric = Literal["test_accuracy", "test_loss"]
ClaimMetric = Literal[
    "test_accuracy",
    "test_loss",
    "test_brier",
    "test_ece",
    "mc_accuracy",
    "mc_loss",
    "mc_brier",
    "mc_ece",
    "fitted_accuracy",
    "fitted_loss",
    "zero_share",
]
"""Metrics of the ledger that a claim can be about; see `manyseeds.ledger.RECORD_SCHEMA`."""

_LESS_IS_BETTER = ("loss", "brier", "ece")


def less_is_better(metric: ClaimMetric) -> bool:
    """Return whether a smaller value is the better one."""
    return metric.endswith(_LESS_IS_BETTER)


def _once(streams: tuple[Stream, ...]) -> tuple[Stream, ...]:
    for stream in streams:
        if streams.count(stream) > 1:
            raise ValueError(f"{stream!r} is there twice")
    return streams


Streams = Annotated[tuple[Stream, ...], Field(min_length=1), AfterValidator(_once)]


class Reference(Model):
    """A published figure for a claim: two accuracies as shares, or only a factor of errors."""

    label: str
    baseline: float | None = Field(default=None, ge=0, le=1)
    treatment: float | None = Field(default=None, ge=0, le=1)
    factor: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Reference:
        if (self.baseline is None) != (self.treatment is None):
            raise ValueError("baseline and treatment go together")
        if self.baseline is None and self.factor is None:
            raise ValueError("a reference needs baseline and treatment, or a factor")
        return self

    @property
    def improvement(self) -> float | None:
        """Treatment minus baseline, as a share; None if only a factor was published."""
        if self.baseline is None or self.treatment is None:
            return None
        return self.treatment - self.baseline

    @property
    def error_factor(self) -> float | None:
        """The error of the baseline over that of the treatment."""
        if self.factor is not None or self.baseline is None or self.treatment is None:
            return self.factor
        return (1 - self.baseline) / (1 - self.treatment) if self.treatment < 1 else None


class Claim(Model):
    """A sentence of the chapter and the paired difference that would show it.

    Attributes
    ----------
    name, sentence
        What it is called; what the chapter says.
    treatment, baseline
        Recipes; the estimand is the mean over seeds of treatment minus baseline.
    metric
        The metric compared. Improvement means larger accuracy, smaller loss.
    baseline_metric
        The baseline's, where it is another: two predictions of one recipe's networks.
    least_effect
        The least improvement that counts, in the metric's unit (accuracies: shares, 0.01 is one
        percentage point).
    factor
        Secondary: the ratio of errors claimed; reported as the share of seeds that reach it.
    references
        What was published.
    """

    name: str
    sentence: str
    treatment: str
    baseline: str
    metric: ClaimMetric = "test_accuracy"
    baseline_metric: ClaimMetric | None = None
    least_effect: float = Field(gt=0)
    factor: float | None = Field(default=None, gt=0)
    references: tuple[Reference, ...] = ()


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
        asked = [(f"claim {c.name!r}", r) for c in self.claims for r in (c.treatment, c.baseline)]
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
