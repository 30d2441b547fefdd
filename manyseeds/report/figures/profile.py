"""Performance profiles: how often a recipe is nearly as good as the best one.

Dolan and Moré (2002), "Benchmarking optimization software with performance profiles".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from manyseeds.presentation import theme
from manyseeds.presentation.wording import Unit
from manyseeds.statistics.bootstrap import Floats
from manyseeds.statistics.profiles import performance_profile, performance_ratios

_TONES = (0, 1, 2, 3, 4, 9, 5, 7)
_DASHES = ("-", "--", ":", "-.")
_FURTHEST = 10.0
"""Times the least error: the profile ends there at the latest."""
_STEPS = 240

MOST = len(_TONES)
"""Recipes that can be told apart in one figure."""


def profile_figure(
    costs: pd.DataFrame, recipes: Sequence[str], unit: Unit, name: str
) -> theme.RenderedFigure:
    """Draw the profiles of some recipes.

    Parameters
    ----------
    costs
        The result of `error_costs`, for all recipes: any may be the best on a problem.
    recipes
        The recipes to draw, at most `MOST`.
    unit
        The unit of the suite's metric.
    name
        The file name of the figure.
    """
    ratios = performance_ratios(costs.to_numpy(float))
    factors = _factors(ratios[:, costs.columns.isin(recipes)])
    shares = pd.DataFrame(
        100 * performance_profile(costs.to_numpy(float), factors), columns=costs.columns
    )
    order = sorted(recipes, key=lambda recipe: (-shares[recipe].iloc[0], -shares[recipe].sum()))
    cost = "error" if unit.factor > 1 else "loss"
    with theme.style():
        figure = theme.blank(max(3.4, 0.36 * len(recipes) + 1.2))
        axes = figure.subplots()
        for place, recipe in enumerate(recipes):
            axes.step(
                factors, shares[recipe], where="post", lw=1.7, color=theme.PALETTE[_TONES[place]],
                ls=_DASHES[place % len(_DASHES)], label=theme.wrapped(recipe, 24),
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(1, factors[-1])
        theme.logarithmic(axes.xaxis, each=True)
        axes.set_ylim(-2, 102)
        axes.set_xlabel(
            f"Factor: at most this many times the least test {cost} on the same problem"
        )
        axes.set_ylabel("Share of problems, %")
        handles = dict(zip(recipes, axes.get_legend_handles_labels()[0], strict=True))
        figure.legend(handles=[handles[recipe] for recipe in order], loc="outside right upper")
        return theme.rendered(figure, name, "Performance profile", _caption(costs, recipes, cost))


def _factors(ratios: Floats) -> Floats:
    """Return the factors to draw: as far as any ratio goes, but not beyond the furthest."""
    finite = ratios[np.isfinite(ratios)]
    last = min(max(float(finite.max(initial=1.0)) * 1.02, 1.2), _FURTHEST)
    factors: Floats = np.geomspace(1, last, _STEPS)
    return factors


def _caption(costs: pd.DataFrame, recipes: Sequence[str], cost: str) -> str:
    others = costs.shape[1] - len(recipes)
    text = (
        f"How to read this figure: a problem is a seed on a backend (in a case), {len(costs)} of "
        f"them; the best of the {costs.shape[1]} recipes is the one with the least test {cost} "
        "there. A line shows the share of problems on which a recipe stays within the factor on "
        "the horizontal axis. At 1 this is how often it is the best, ties included. The line stays "
        "below 100 % if the recipe diverges, or is sometimes beyond the last factor"
    )
    return f"{text}. {others} recipes are not drawn." if others else f"{text}."
