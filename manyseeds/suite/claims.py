"""Claims as data: a sentence of the chapter, and the estimand that would show it.

Every estimand gives one number for each seed, the improvement, which is positive if the sentence is
right. Its mean over the seeds, with an interval, is compared with the least effect. Direction and
least effect are fixed here before anything is trained. The classes define the numbers and the
unit of the least effect; `manyseeds.statistics` computes them.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from manyseeds.model import Model
from manyseeds.model.names import Line, Name

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
"""Metrics of the ledger that a claim can be about; see `manyseeds.ledger.schemas.RECORD_SCHEMA`.

`generalisation_gap` is computed from two of them: the test loss minus the loss on the training
split, after training and without dropout.
"""

_LESS_IS_BETTER = ("loss", "brier", "ece", "dead_share", "normality_error", "generalisation_gap")


def less_is_better(metric: ClaimMetric) -> bool:
    """Return whether smaller values of a metric are better.

    >>> less_is_better("test_loss"), less_is_better("test_accuracy")
    (True, False)
    """
    return metric.endswith(_LESS_IS_BETTER)


def metric_range(metric: ClaimMetric) -> tuple[float, float]:
    """Return the least and the largest value that a metric can have.

    >>> metric_range("test_accuracy"), metric_range("mc_loss")
    ((0.0, 1.0), (0.0, inf))
    """
    if metric.endswith("brier"):
        return 0.0, 2.0
    if metric.endswith(("accuracy", "ece", "share")):
        return 0.0, 1.0
    return -math.inf if metric == "generalisation_gap" else 0.0, math.inf


class Reference(Model):
    """A published figure for a claim: two accuracies, as shares, or only a factor of errors."""

    label: Line
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
        """The treatment's accuracy minus the baseline's; None if only a factor was published."""
        if self.baseline is None or self.treatment is None:
            return None
        return self.treatment - self.baseline

    @property
    def error_factor(self) -> float | None:
        """The baseline's error divided by the treatment's; None if that error is 0."""
        if self.factor is not None or self.baseline is None or self.treatment is None:
            return self.factor
        return (1 - self.baseline) / (1 - self.treatment) if self.treatment < 1 else None


class _Claim(Model):
    """The common part of all claims.

    Attributes
    ----------
    name, sentence
        The claim's name in its suite, and the claim in words.
    least_effect
        The least improvement that counts, in the unit of the estimand.
    """

    name: Name
    sentence: Line
    least_effect: float = Field(gt=0)

    def compared(self) -> tuple[str, ...]:
        """Return the recipes that are compared, the one that should be best first."""
        raise NotImplementedError

    def largest_improvement(self) -> float:
        """Return the improvement that no result can exceed, in the unit of the least effect."""
        return math.inf


class _Paired(_Claim):
    """A comparison of two recipes, or of two predictions by the networks of one recipe.

    Attributes
    ----------
    treatment, baseline
        The recipes that are compared.
    baseline_metric
        The baseline's metric if it differs, to compare two predictions by the same networks.
    """

    treatment: str
    baseline: str
    baseline_metric: ClaimMetric | None = None

    def compared(self) -> tuple[str, ...]:
        """Return the treatment and the baseline."""
        return self.treatment, self.baseline

    @model_validator(mode="after")
    def _check(self) -> _Paired:
        if self.treatment == self.baseline and self.baseline_metric in (None, _metric(self)):
            raise ValueError(f"treatment and baseline are both {self.treatment!r}")
        return self


class _DifferenceOfMetrics(_Paired):
    """A comparison whose least effect is in the unit of its metric."""

    def largest_improvement(self) -> float:
        """Return the range of the metric."""
        lowest, highest = metric_range(_metric(self))
        return highest - lowest


def _metric(claim: _Paired) -> ClaimMetric:
    metric: ClaimMetric = claim.metric  # type: ignore[attr-defined]  # every kind has one
    return metric


class Difference(_DifferenceOfMetrics):
    """The mean over the seeds of treatment minus baseline, with the opposite sign for losses.

    Attributes
    ----------
    metric
        The metric that is compared. The least effect is in its unit; accuracies are shares: 0.01 is
        one percentage point.
    factor
        The claimed ratio of errors; the share of trainings that reach it is reported too.
    references
        The published figures.
    """

    estimand: Literal["difference"] = "difference"
    metric: ClaimMetric = "test_accuracy"
    factor: float | None = Field(default=None, gt=0)
    references: tuple[Reference, ...] = ()


class Calibration(_DifferenceOfMetrics):
    """The mean difference of a measure of calibration, of which less is better."""

    estimand: Literal["calibration"]
    metric: Calibrated = "test_ece"


class Share(_DifferenceOfMetrics):
    """The mean difference of a share: of weights that are zero, or of units that are dead."""

    estimand: Literal["share"]
    metric: Shared


class Ratio(_Paired):
    """The baseline's mean error or loss divided by the treatment's.

    The least effect is a ratio above 1. Tables have its logarithm: 0 means no effect.
    """

    estimand: Literal["ratio"]
    metric: Literal["test_accuracy", "test_loss", "mc_accuracy", "mc_loss"] = "test_accuracy"
    least_effect: float = Field(gt=1)


class ProbabilityOfImprovement(_Paired):
    """The share of seeds on which the treatment is better, ties counted half.

    The least effect is the excess over one half, for instance 0.25 for three seeds out of four.
    """

    estimand: Literal["probability_of_improvement"]
    metric: ClaimMetric = "test_accuracy"
    least_effect: float = Field(gt=0, lt=0.5)


class Equivalence(_DifferenceOfMetrics):
    """The difference lies within the least effect on either side, by two one-sided tests."""

    estimand: Literal["equivalence"]
    metric: ClaimMetric = "test_accuracy"


class Ordering(_Claim):
    """Kendall's tau, for each seed, between the results and the claimed order, the best first.

    The least effect is a tau: 1 means the full order on every seed, 0 no order at all.
    """

    estimand: Literal["ordering"]
    recipes: tuple[str, ...] = Field(min_length=3)
    metric: ClaimMetric = "test_accuracy"
    least_effect: float = Field(gt=0, lt=1)

    def compared(self) -> tuple[str, ...]:
        """Return the recipes in the claimed order."""
        return self.recipes

    @model_validator(mode="after")
    def _check(self) -> Ordering:
        if len(set(self.recipes)) < len(self.recipes):
            raise ValueError("recipes: one appears twice")
        return self


class ThresholdClaim(_Claim):
    """The amount by which a recipe's metric is better than a fixed number."""

    estimand: Literal["threshold"]
    recipe: str
    metric: ClaimMetric = "test_accuracy"
    threshold: float

    def compared(self) -> tuple[str, ...]:
        """Return the recipe."""
        return (self.recipe,)

    def largest_improvement(self) -> float:
        """Return the distance of the threshold from the best value of the metric."""
        lowest, highest = metric_range(self.metric)
        return self.threshold - lowest if less_is_better(self.metric) else highest - self.threshold

    @model_validator(mode="after")
    def _check(self) -> ThresholdClaim:
        lowest, highest = metric_range(self.metric)
        if not lowest <= self.threshold <= highest:
            raise ValueError(
                f"threshold {self.threshold:g}: {self.metric} lies between {lowest:g} and "
                f"{highest:g}"
            )
        return self


class TimeToTarget(_Claim):
    """The time by which the treatment reaches a validation accuracy sooner than the baseline.

    A lane that diverged or never reached the target counts as reaching it in the last epoch of the
    shorter training: the mean is restricted to this horizon (Royston and Parmar 2013).

    Attributes
    ----------
    target
        The validation accuracy, a share.
    clock
        "epochs", or "seconds": epochs times the seconds of an epoch in solo training.
    """

    estimand: Literal["time_to_target"]
    treatment: str
    baseline: str
    target: float = Field(gt=0, lt=1)
    clock: Literal["epochs", "seconds"] = "epochs"

    def compared(self) -> tuple[str, ...]:
        """Return the treatment and the baseline."""
        return self.treatment, self.baseline

    @model_validator(mode="after")
    def _check(self) -> TimeToTarget:
        if self.treatment == self.baseline:
            raise ValueError(f"treatment and baseline are both {self.treatment!r}")
        return self


Claim = Annotated[
    Difference
    | Calibration
    | Share
    | Ratio
    | ProbabilityOfImprovement
    | Equivalence
    | Ordering
    | ThresholdClaim
    | TimeToTarget,
    Field(discriminator="estimand"),
]

ESTIMANDS: dict[str, type[Any]] = {
    get_args(kind.model_fields["estimand"].annotation)[0]: kind
    for kind in get_args(get_args(Claim)[0])
}
"""The kinds of claims by the names of their estimands; a claim that names none is a difference."""


def references(claim: Claim) -> tuple[Reference, ...]:
    """Return the published figures of a claim; only differences have any."""
    return claim.references if isinstance(claim, Difference) else ()


def metrics_of(claim: Claim) -> list[tuple[ClaimMetric, str]]:
    """Return the metrics that a claim needs after training, each with the recipe it is of."""
    if isinstance(claim, TimeToTarget):
        return []
    if isinstance(claim, Ordering | ThresholdClaim):
        return [(claim.metric, recipe) for recipe in claim.compared()]
    return [
        (claim.metric, claim.treatment),
        (claim.baseline_metric or claim.metric, claim.baseline),
    ]


def metric_of(claim: Claim) -> ClaimMetric:
    """Return the metric by which a claim compares its recipes."""
    return "test_accuracy" if isinstance(claim, TimeToTarget) else claim.metric
