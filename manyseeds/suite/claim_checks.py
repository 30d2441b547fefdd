"""Checks of claims against the recipes that they compare: each claim can come true and false."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from manyseeds.errors import unknown
from manyseeds.randomness.streams import Stream
from manyseeds.suite.claims import Claim, TimeToTarget, metrics_of
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.recorded import how_to_record, recorded_metrics


def check_claim(
    claim: Claim, recipes: Mapping[str, Sequence[Recipe]], varied: Sequence[Stream]
) -> None:
    """Refuse a claim that no result of its recipes could show.

    Parameters
    ----------
    claim
        The claim.
    recipes
        The recipes of the suite by name, in all their cases.
    varied
        The streams that a seed drives.

    Raises
    ------
    ValueError
        A recipe is unknown or does not record the claim's metric, or the least effect is larger
        than any effect can be.
    """
    for name in claim.compared():
        if name not in recipes:
            raise ValueError(unknown("recipe", name, recipes))
    compared = [recipe for name in claim.compared() for recipe in recipes[name]]
    if isinstance(claim, TimeToTarget):
        _check_times(claim, compared)
        return
    for metric, name in metrics_of(claim):
        if not all(metric in recorded_metrics(recipe, varied) for recipe in recipes[name]):
            raise ValueError(f"recipe {name!r} does not record {metric}: {how_to_record(metric)}")
    if (largest := claim.largest_improvement()) <= claim.least_effect:
        raise ValueError(
            f"least_effect {claim.least_effect:g} cannot be exceeded: no result is more than "
            f"{largest:g} better (accuracies and shares lie between 0 and 1: 0.01 is one "
            "percentage point)"
        )


def _check_times(claim: TimeToTarget, compared: Sequence[Recipe]) -> None:
    for recipe in compared:
        if not recipe.phases[-1].network.classifies:
            raise ValueError(f"recipe {recipe.name!r} has no validation accuracy to reach a target")
    if claim.clock == "seconds":
        return
    horizon = min(sum(phase.epochs for phase in recipe.phases) for recipe in compared)
    if claim.least_effect >= horizon:
        raise ValueError(
            f"least_effect {claim.least_effect:g} cannot be exceeded: the shorter training has "
            f"{horizon} epochs"
        )
