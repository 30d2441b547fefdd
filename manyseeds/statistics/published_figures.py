"""Where the published figures lie among the trainings."""

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
    """Return every published figure's place among our pairs, per backend and averaged.

    Columns: `claim`, `label`, `quantity` ("improvement" or "factor"), `figure` (what was
    published), `backend` ("all": the mean over backends), `pairs`, `percentile` (0-100: the
    share of our pairs below it, ties counted half) and `reached` (the share at or above it).

    `pairs` are those of `claim_pairs`, if they are at hand already.
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
        (one, one.improvement if quantity == "improvement" else one.error_factor)
        for one in references(claim)
    ]
    return [(one, value) for one, value in stated if value is not None]


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
    known = [place for place in places if place["pairs"]]
    return {
        "backend": ALL,
        "pairs": max((place["pairs"] for place in known), default=0),
        "percentile": np.mean([p["percentile"] for p in known]) if known else np.nan,
        "reached": np.mean([p["reached"] for p in known]) if known else np.nan,
    }


def _percentile(values: Floats, figure: float) -> float:
    if not len(values):
        return np.nan
    # Differences of shares of images carry rounding in the last digits, which would break ties.
    return float(percentileofscore(values.round(10), round(figure, 10), kind="mean"))
