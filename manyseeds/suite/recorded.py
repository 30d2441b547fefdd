"""The metrics that a recipe's trainings record, known before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

from manyseeds.randomness.streams import Stream
from manyseeds.suite.claims import ClaimMetric
from manyseeds.suite.recipe import Recipe


def recorded_metrics(recipe: Recipe, varied: Sequence[Stream]) -> frozenset[ClaimMetric]:
    """Return the metrics that a claim about a recipe can be about.

    Parameters
    ----------
    recipe
        The recipe; the network of its last phase is scored.
    varied
        The streams that a seed drives.
    """
    last = recipe.phases[-1]
    metrics: set[ClaimMetric] = {"test_loss", "zero_share"}
    if last.network.classifies:
        metrics |= {"test_accuracy", "test_brier", "test_ece"}
    if recipe.monte_carlo:
        metrics.add("mc_loss")
        if last.network.classifies:
            metrics |= {"mc_accuracy", "mc_brier", "mc_ece"}
    if "split" not in varied:  # else each lane has training rows of its own
        metrics |= {"fitted_loss", "generalisation_gap"}
        if last.network.classifies:
            metrics.add("fitted_accuracy")
    if last.diagnostics and last.network.activated_units():
        metrics |= {"dead_share", "normality_error"}
    return frozenset(metrics)


def how_to_record(metric: ClaimMetric) -> str:
    """Return what a recipe has to have so that a metric is recorded.

    >>> how_to_record("mc_ece")
    "give the recipe monte_carlo = 'mc_dropout', and a softmax or logistic output"
    """
    if metric in {"dead_share", "normality_error"}:
        return "give its last phase diagnostics = true, and hidden layers with activations"
    if metric.startswith("fitted") or metric == "generalisation_gap":
        return "leave 'split' out of the suite's varied streams"
    if metric == "mc_loss":
        return "give the recipe monte_carlo = 'mc_dropout'"
    if metric.startswith("mc_"):
        return "give the recipe monte_carlo = 'mc_dropout', and a softmax or logistic output"
    return "give its network a softmax or logistic output, or choose test_loss"
