"""Claims as data: a sentence of the chapter, and the estimand that would show it.

Every estimand comes to one number a seed, the improvement: positive is what the sentence says. Its
mean over the seeds, with an interval, is judged against the least effect, which like the direction
is fixed here before anything is trained. What each number is, and in which unit the least effect
stands, is told by the classes; how they are computed, by `manyseeds.statistics`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from manyseeds.model import Model

PrimaryMetric = Literal["test_accuracy", "test_loss"]
Calibrated = Literal["test_loss", "test_brier", "test_ece", "mc_loss", "mc_brier", "mc_ece"]
Shared = Literal["zero_share", "dead_share"]
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
    "dead_share",
    "normality_error",
    "generalisation_gap",
]
"""Metrics of the ledger that a claim can be about; see `manyseeds.ledger.ledger.RECORD_SCHEMA`.

`generalisation_gap` is made of two of them: test loss minus the loss on the training split after
training, nothing dropped.
"""

_LESS_IS_BETTER = ("loss", "brier", "ece", "dead_share", "normality_error", "generalisation_gap")


def less_is_better(metric: ClaimMetric) -> bool:
    """Return whether a smaller value is the better one."""
    return metric.endswith(_LESS_IS_BETTER)


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


class _Claim(Model):
    """What every claim has.

    Attributes
    ----------
    name, sentence
        What it is called; what the chapter says.
    least_effect
        The least improvement that counts, in the estimand's unit.
    """

    name: str
    sentence: str
    least_effect: float = Field(gt=0)

    def compared(self) -> tuple[str, ...]:
        """Return the recipes it is about, the one that should be best first."""
        raise NotImplementedError


class _Paired(_Claim):
    """Two recipes, or two predictions of the same networks.

    Attributes
    ----------
    treatment, baseline
        Recipes.
    baseline_metric
        The baseline's metric where it is another: two predictions of one recipe's networks.
    """

    treatment: str
    baseline: str
    baseline_metric: ClaimMetric | None = None

    def compared(self) -> tuple[str, ...]:
        """Return the treatment and the baseline."""
        return self.treatment, self.baseline


class Difference(_Paired):
    """The mean over seeds of treatment minus baseline; of losses the other way round.

    Attributes
    ----------
    metric
        What is compared; the least effect is in its unit (accuracies: shares, 0.01 is one
        percentage point).
    factor
        Secondary: the ratio of errors claimed; reported as the share of seeds that reach it.
    references
        What was published.
    """

    estimand: Literal["difference"] = "difference"
    metric: ClaimMetric = "test_accuracy"
    factor: float | None = Field(default=None, gt=0)
    references: tuple[Reference, ...] = ()


class Calibration(_Paired):
    """A difference of what probabilities are judged by; less is better."""

    estimand: Literal["calibration"]
    metric: Calibrated = "test_ece"


class Share(_Paired):
    """A difference of shares: of weights that are zero, or of units that are dead."""

    estimand: Literal["share"]
    metric: Shared


class Ratio(_Paired):
    """How many times smaller the treatment's mean error or loss is than the baseline's.

    The least effect is a ratio above 1. Tables have logarithms: 0 is no effect.
    """

    estimand: Literal["ratio"]
    metric: Literal["test_accuracy", "test_loss", "mc_accuracy", "mc_loss"] = "test_accuracy"
    least_effect: float = Field(gt=1)


class ProbabilityOfImprovement(_Paired):
    """How often the treatment is better on the same seed, ties counted half.

    The least effect is what it must exceed one half by, for instance 0.25 for three seeds of four.
    """

    estimand: Literal["probability_of_improvement"]
    metric: ClaimMetric = "test_accuracy"
    least_effect: float = Field(gt=0, lt=0.5)


class Equivalence(_Paired):
    """That the difference lies within the least effect on either side: two one-sided tests."""

    estimand: Literal["equivalence"]
    metric: ClaimMetric = "test_accuracy"


class Ordering(_Claim):
    """Several recipes, the best first: Kendall's tau of each seed with the order claimed.

    The least effect is a tau: 1 is the full order in every seed, 0 none at all.
    """

    estimand: Literal["ordering"]
    recipes: tuple[str, ...] = Field(min_length=3)
    metric: ClaimMetric = "test_accuracy"
    least_effect: float = Field(gt=0, lt=1)

    def compared(self) -> tuple[str, ...]:
        """Return the recipes in the order claimed."""
        return self.recipes

    @model_validator(mode="after")
    def _check(self) -> Ordering:
        if len(set(self.recipes)) < len(self.recipes):
            raise ValueError("recipes: one is there twice")
        return self


class Threshold(_Claim):
    """One recipe against a number: by how much the metric is better than it."""

    estimand: Literal["threshold"]
    recipe: str
    metric: ClaimMetric = "test_accuracy"
    threshold: float

    def compared(self) -> tuple[str, ...]:
        """Return the recipe."""
        return (self.recipe,)


class TimeToTarget(_Claim):
    """How much sooner the treatment first reaches a validation accuracy.

    A lane that diverged or never reached it counts as the last epoch of the shorter training: the
    mean is restricted to that horizon (Royston and Parmar 2013).

    Attributes
    ----------
    target
        Validation accuracy, a share.
    clock
        "epochs", or "seconds": epochs times the seconds of an epoch trained alone.
    """

    estimand: Literal["time_to_target"]
    treatment: str
    baseline: str
    target: float = Field(gt=0, lt=1)
    clock: Literal["epochs", "seconds"] = "epochs"

    def compared(self) -> tuple[str, ...]:
        """Return the treatment and the baseline."""
        return self.treatment, self.baseline


Claim = Annotated[
    Difference
    | Calibration
    | Share
    | Ratio
    | ProbabilityOfImprovement
    | Equivalence
    | Ordering
    | Threshold
    | TimeToTarget,
    Field(discriminator="estimand"),
]

ESTIMANDS: dict[str, type[Any]] = {
    get_args(kind.model_fields["estimand"].annotation)[0]: kind
    for kind in get_args(get_args(Claim)[0])
}
"""The kinds of claims by the name of their estimand; one that names none is a difference."""


def references(claim: Claim) -> tuple[Reference, ...]:
    """Return what was published about a claim."""
    return claim.references if isinstance(claim, Difference) else ()


def metric_of(claim: Claim) -> ClaimMetric:
    """Return the metric that a claim's recipes are compared by."""
    return "test_accuracy" if isinstance(claim, TimeToTarget) else claim.metric
