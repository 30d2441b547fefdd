"""The published figures among the trainings: their percentiles, and the share that reaches them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import percentileofscore

from manyseeds.statistics.bootstrap import Floats
from manyseeds.statistics.confession import backends_of, quantities, tries
from manyseeds.statistics.error_factors import reached
from manyseeds.statistics.estimands import PairsByClaim, claim_pairs
from manyseeds.statistics.pairs import ALL, Pairs, single_cases
from manyseeds.suite.claims import Claim, Difference, Reference, references
from manyseeds.suite.suite import Suite

_COLUMNS = ["claim", "label", "quantity", "figure", "backend", "pairs", "percentile", "reached"]


def published_table(
    records: pd.DataFrame, suite: Suite, pairs: PairsByClaim | None = None
) -> pd.DataFrame:
    """Return the percentile of every published figure among the pairs, per backend and averaged.

    Columns: `claim`, `label`, `quantity` ("improvement" or "factor"), `figure` (as published),
    `backend` ("all": the mean over backends), `pairs`, `percentile` (0-100: the share of pairs
    below the figure, ties counted half) and `reached` (the share at or above it).

    `pairs` is the result of `claim_pairs`, if it is already known.
    """
    pairs = claim_pairs(records, suite) if pairs is None else pairs
    rows = [
        row
        for claim in suite.claims
        if isinstance(claim, Difference)
        for row in _rows(claim, single_cases(pairs[claim.name]))
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def figures(claim: Claim, quantity: str) -> list[tuple[Reference, float]]:
    """Return the references that state a quantity, with its value."""
    stated = [
        (reference, reference.improvement if quantity == "improvement" else reference.error_factor)
        for reference in references(claim)
    ]
    return [(reference, value) for reference, value in stated if value is not None]


def _rows(claim: Claim, pairs: Sequence[Pairs]) -> Iterator[dict[str, Any]]:
    for quantity in quantities(pairs):
        values = {backend: tries(pairs, backend, quantity) for backend in backends_of(pairs)}
        for reference, figure in figures(claim, quantity):
            start: dict[str, Any] = {"claim": claim.name, "label": reference.label}
            start |= {"quantity": quantity, "figure": figure}
            places = [
                {
                    "backend": backend,
                    "pairs": len(tried),
                    "percentile": _percentile(tried, figure),
                    "reached": reached(tried, figure)[0],
                }
                for backend, tried in values.items()
            ]
            yield from (start | place for place in places)
            yield start | _together(places)


def _together(places: list[dict[str, Any]]) -> dict[str, Any]:
    with_pairs = [place for place in places if place["pairs"]]
    return {
        "backend": ALL,
        "pairs": max((place["pairs"] for place in with_pairs), default=0),
        "percentile": np.mean([place["percentile"] for place in with_pairs])
        if with_pairs
        else np.nan,
        "reached": np.mean([place["reached"] for place in with_pairs]) if with_pairs else np.nan,
    }


def _percentile(values: Floats, figure: float) -> float:
    if not len(values):
        return np.nan
    # Differences of shares of images carry rounding in the last digits, which would break ties.
    return float(percentileofscore(values.round(10), round(figure, 10), kind="mean"))
