"""The confession curve: what someone who tries k seeds and keeps the best would have claimed.

With n values seen, the best of k drawn without replacement is the i-th smallest with probability
C(i - 1, k - 1) / C(n, k). Its mean is the unbiased form of the expected validation performance
of Dodge et al. (2019), which draws with replacement (see Tang et al. 2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from manyseeds.statistics.bootstrap import Floats
from manyseeds.statistics.claims import PairsByClaim, claim_pairs
from manyseeds.statistics.factor import error_factors
from manyseeds.statistics.pairs import ALL, Pairs, single_cases
from manyseeds.suite import Suite

_TAIL = 0.1
_COLUMNS = ["claim", "backend", "quantity", "k", "expected", "median", "low", "high"]


def best_of(values: ArrayLike) -> pd.DataFrame:
    """Return the distribution of the best of k of these values.

    Parameters
    ----------
    values
        Larger is better; NaN is dropped, infinity allowed.

    Returns
    -------
    pandas.DataFrame
        Columns `k` (1 … n; beyond 100 in steps of about 2 %) · `expected` · `median` · `low`,
        `high`: the middle 80 % of such searches.
    """
    values = np.asarray(values, dtype=float)
    seen = np.sort(values[~np.isnan(values)])
    n = len(seen)
    rows, told = [], set(_told(n))
    at_most = np.ones(n)  # P(best of k <= i-th smallest) = C(i, k) / C(n, k)
    for k in range(1, n + 1):
        at_most = at_most * np.maximum(np.arange(1, n + 1) - k + 1, 0) / (n - k + 1)
        if k in told:
            rows.append((k, _expected(seen, at_most), *_quantiles(seen, at_most)))
    types = {"k": int} | dict.fromkeys(_COLUMNS[4:], float)
    return pd.DataFrame(rows, columns=_COLUMNS[3:]).astype(types)


def confession_table(
    records: pd.DataFrame, suite: Suite, pairs: PairsByClaim | None = None
) -> pd.DataFrame:
    """Return the confession curve of every claim, per backend and averaged over backends.

    Rows: `claim`, `backend` ("all": the mean of the backends' curves, as far as all of them
    go), `quantity` ("improvement", in the metric's unit, or "factor" of errors), `k`, and the
    columns of `best_of`. Someone who searches also tries the cases: with more than one, every
    pair of seed and case is a try. `pairs` are those of `claim_pairs`, if at hand already.
    """
    pairs = claim_pairs(records, suite) if pairs is None else pairs
    curves = [
        curve for claim, found in pairs.items() for curve in _curves(claim, single_cases(found))
    ]
    whole = pd.concat(curves) if curves else pd.DataFrame(columns=_COLUMNS)
    return whole[_COLUMNS].reset_index(drop=True)


def tries(pairs: Sequence[Pairs], backend: str, quantity: str) -> Floats:
    """Return every try of a claim on one backend: one value a pair of trainings."""
    views = [one for one in pairs if backend in one.backends]
    if quantity == "factor":
        values = [error_factors(one, backend) for one in views]
    else:
        values = [one.improvement(backend) for one in views]
    flat: Floats = np.concatenate(values) if values else np.empty(0)
    return flat[~np.isnan(flat)]


def quantities(pairs: Sequence[Pairs]) -> tuple[str, ...]:
    """Return what can be told of these pairs: factors of errors need accuracies."""
    has_errors = any(one.metric == "test_accuracy" for one in pairs)
    return ("improvement", "factor") if has_errors else ("improvement",)


def backends_of(pairs: Sequence[Pairs]) -> tuple[str, ...]:
    """Return the backends of several pairings."""
    return tuple(dict.fromkeys(backend for one in pairs for backend in one.backends))


def _curves(claim: str, pairs: Sequence[Pairs]) -> Iterator[pd.DataFrame]:
    for quantity in quantities(pairs):
        each = []
        for backend in backends_of(pairs):
            curve = best_of(tries(pairs, backend, quantity))
            each.append(curve)
            yield curve.assign(claim=claim, backend=backend, quantity=quantity)
        yield _average(each).assign(claim=claim, backend=ALL, quantity=quantity)


def _average(curves: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Average the curves as far as every backend that has one goes."""
    curves = [curve.set_index("k") for curve in curves if len(curve)]
    if not curves:
        return best_of([])
    shared = set.intersection(*(set(curve.index) for curve in curves))
    stacked = np.stack([curve.loc[sorted(shared)].to_numpy(float) for curve in curves])
    frame = pd.DataFrame(stacked.mean(axis=0), columns=_COLUMNS[4:])
    frame.insert(0, "k", sorted(shared))
    return frame


def _told(n: int) -> Iterator[int]:
    """Yield the k to tell of, so that a long curve stays readable and small."""
    k = 1
    while k < n:
        yield k
        k += max(1, k // 50)
    yield n


def _expected(ordered: Floats, at_most: Floats) -> float:
    chance = np.diff(at_most, prepend=0.0)
    possible = chance > 0  # 0 · infinity is no contribution
    return float(ordered[possible] @ chance[possible])


def _quantiles(ordered: Floats, at_most: Floats) -> tuple[float, float, float]:
    ranks = np.searchsorted(at_most, (0.5 - 1e-12, _TAIL - 1e-12, 1 - _TAIL - 1e-12))
    middle, low, high = ordered[np.minimum(ranks, len(ordered) - 1)]
    return float(middle), float(low), float(high)
