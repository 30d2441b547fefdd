"""The confession curve: the claim of someone who makes k tries and reports only the best.

Of n values, the best of k drawn without replacement is the i-th smallest with probability
C(i - 1, k - 1) / C(n, k). Its mean is the unbiased form of the expected validation performance of
Dodge et al. (2019), who draw with replacement (see Tang et al. 2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from manyseeds.statistics.bootstrap import LEVEL, SEED, Floats
from manyseeds.statistics.error_factors import error_factors, factor_views, reached
from manyseeds.statistics.estimands import PairsByClaim, claim_pairs
from manyseeds.statistics.pairs import ALL, Pairs, single_cases
from manyseeds.suite.claims import Calibration, Difference, Share
from manyseeds.suite.suite import Suite

_TAIL = 0.1
_CURVE = [
    "k", "expected", "expected_low", "expected_high", "median", "median_low", "median_high",
    "low", "high",
]  # fmt: skip
_COLUMNS = ["claim", "backend", "quantity", *_CURVE]
_ROUNDING = 1e-8
"""Allowance for the rounding of chances computed from logarithms of large factorials."""
_BLOCK = 32
"""Points of a curve computed at once: in small blocks, fewer impossible ranks are computed."""
_RESAMPLES = 2_000
_LEAST_RESAMPLES = 200
_MOST_DRAWS = 4_000_000
"""Draws of one curve: longer curves have fewer resamples, which bounds the memory."""


def best_of(values: ArrayLike) -> pd.DataFrame:
    """Return the distribution of the best of k of these values.

    Parameters
    ----------
    values
        Larger is better; NaN is dropped, infinity is allowed.

    Returns
    -------
    pandas.DataFrame
        Columns `k` (1 … n; beyond 100 in steps of about 2 %) · `expected` and `median`, each with
        the 95 % interval, `_low` and `_high`, over other samples of such values (percentile
        bootstrap) · `low`, `high`: the middle 80 % of such searches.
    """
    ordered = _ordered(values)
    return _curve(ordered, _RankResamples(len(ordered)))


@dataclass(frozen=True)
class _RankResamples:
    """The bootstrap's draws of n tries, as ranks: always the same for one n."""

    n: int

    @cached_property
    def ranks(self) -> NDArray[np.int32]:
        """The ranks of the values in each resample, ascending, [resamples, n]."""
        resamples = max(_LEAST_RESAMPLES, min(_RESAMPLES, _MOST_DRAWS // self.n))
        draws = np.random.default_rng(SEED).integers(0, self.n, (resamples, self.n))
        ranks = draws.astype(np.int32)
        ranks.sort(axis=1)
        return ranks


def _ordered(values: ArrayLike) -> Floats:
    """Return the known values in ascending order."""
    known = np.asarray(values, dtype=float)
    return np.sort(known[~np.isnan(known)])


def _curve(ordered: Floats, resamples: _RankResamples) -> pd.DataFrame:
    """Return the result of `best_of` for values in ascending order."""
    n = len(ordered)
    if not n:
        return pd.DataFrame(columns=_CURVE, dtype=float).astype({"k": int})
    resampled = ordered[resamples.ranks]
    ks = np.array(list(_reported_ks(n)))
    blocks = np.split(ks, range(_BLOCK, len(ks), _BLOCK))
    parts = [_points(ordered, resampled, block) for block in blocks]
    return pd.concat(parts, ignore_index=True)


def _points(ordered: Floats, resampled: Floats, ks: NDArray[np.int64]) -> pd.DataFrame:
    """Return the points of a curve at some k, from sorted values and sorted resamples of them."""
    first = _least_rank(len(ordered), int(ks[0]))
    at_most = _at_most(len(ordered), ks, first)
    chance = np.diff(at_most, prepend=0.0, axis=1)
    ordered, resampled = ordered[first:], resampled[:, first:]
    ranks = {
        name: np.minimum(_ranks(at_most, share), len(ordered) - 1)
        for name, share in (("median", 0.5), ("low", _TAIL), ("high", 1 - _TAIL))
    }
    bounds = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    expected = np.quantile(_mean(resampled, chance), bounds, axis=0, method="lower")
    median = np.quantile(resampled[:, ranks["median"]], bounds, axis=0, method="lower")
    columns = {
        "k": ks,
        "expected": _mean(ordered, chance),
        "expected_low": expected[0],
        "expected_high": expected[1],
        "median": ordered[ranks["median"]],
        "median_low": median[0],
        "median_high": median[1],
        "low": ordered[ranks["low"]],
        "high": ordered[ranks["high"]],
    }
    return pd.DataFrame(columns, columns=_CURVE)


def tries_for_even_chance(values: ArrayLike, figure: float) -> tuple[float, float, float]:
    """Return how many tries give a 50 % chance of reaching a figure, with the interval.

    If a share p of tries reaches it, k independent tries all miss it with probability (1 - p)^k.
    The share and its interval are those of `reached`, which takes the same values.

    Returns
    -------
    tuple[float, float, float]
        k, low, high: at least 1; infinite where no try reaches the figure; NaN without values.
    """
    share = reached(np.asarray(values, dtype=np.float64), figure)
    tries = [_even_chance(part) for part in (share.share, share.high, share.low)]
    return tries[0], tries[1], tries[2]


def _even_chance(share: float) -> float:
    if np.isnan(share):
        return np.nan
    if share <= 0:
        return np.inf
    return 1.0 if share >= 0.5 else float(np.log(0.5) / np.log1p(-share))


WISHED_FACTORS = (2.0, 3.0, 4.0)
"""Factors of errors that a cherry-picker would like to report."""


def cherries_table(
    records: pd.DataFrame, suite: Suite, pairs: PairsByClaim | None = None
) -> pd.DataFrame:
    """Return how many tries a cherry-picker needs for a 50 % chance of reporting a factor.

    Columns: `claim`, `backend` ("all": the tries of all backends; a seed counts once, with the
    share of its tries that reach the figure), `figure` (2, 3, 4 and the published factors),
    `tries`, `reached` (the share of tries that reach it), `k`, `low`, `high` (see
    `tries_for_even_chance`).
    """
    pairs = claim_pairs(records, suite) if pairs is None else pairs
    rows = []
    for claim in suite.claims:
        if not isinstance(claim, Difference) or claim.metric != "test_accuracy":
            continue
        single = single_cases(pairs[claim.name])
        published = [reference.error_factor for reference in claim.references]
        figures = sorted(
            {*WISHED_FACTORS, *(round(factor, 10) for factor in published if factor is not None)}
        )
        names = backends_of(single)
        values = {name: factor_views(single, [name]) for name in names}
        if len(names) > 1:
            values[ALL] = factor_views(single, names)
        for backend, tried in values.items():
            for figure in figures:
                k, low, high = tries_for_even_chance(tried, figure)
                count = int((~np.isnan(tried)).sum())
                share = reached(tried, figure).share
                rows.append((claim.name, backend, figure, count, share, k, low, high))
    columns = ["claim", "backend", "figure", "tries", "reached", "k", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def confession_table(
    records: pd.DataFrame, suite: Suite, pairs: PairsByClaim | None = None
) -> pd.DataFrame:
    """Return the confession curve of every claim, per backend and averaged over backends.

    Columns: `claim`, `backend` ("all": the mean of the backends' curves, as far as all of them go),
    `quantity` ("improvement", in the metric's unit, or "factor" of errors), `k`, and the columns of
    `best_of`. Someone who searches also tries the cases: with several, every pair of seed and case
    is one try. `pairs` is the result of `claim_pairs`, if it is already known.
    """
    pairs = claim_pairs(records, suite) if pairs is None else pairs
    curves = [
        curve
        for claim in suite.claims
        if isinstance(claim, Difference | Calibration | Share)
        for curve in _curves(claim.name, single_cases(pairs[claim.name]))
    ]
    whole = pd.concat(curves) if curves else pd.DataFrame(columns=_COLUMNS)
    return whole[_COLUMNS].reset_index(drop=True)


def tries(pairs: Sequence[Pairs], backend: str, quantity: str) -> Floats:
    """Return every try of a claim on one backend: one value per pair of trainings."""
    views = [case for case in pairs if backend in case.backends]
    if quantity == "factor":
        values = [error_factors(case, backend) for case in views]
    else:
        values = [case.improvement(backend) for case in views]
    flat: Floats = np.concatenate(values) if values else np.empty(0)
    return flat[~np.isnan(flat)]


def quantities(pairs: Sequence[Pairs]) -> tuple[str, ...]:
    """Return the quantities that these pairs have: factors of errors need accuracies."""
    has_errors = any(case.metric == "test_accuracy" for case in pairs)
    return ("improvement", "factor") if has_errors else ("improvement",)


def backends_of(pairs: Sequence[Pairs]) -> tuple[str, ...]:
    """Return the backends of several pairings."""
    return tuple(dict.fromkeys(backend for case in pairs for backend in case.backends))


def _curves(claim: str, pairs: Sequence[Pairs]) -> Iterator[pd.DataFrame]:
    resamples = _RankResamples(0)
    for quantity in quantities(pairs):
        by_backend = []
        for backend in backends_of(pairs):
            ordered = _ordered(tries(pairs, backend, quantity))
            if len(ordered) != resamples.n:
                resamples = _RankResamples(len(ordered))
            curve = _curve(ordered, resamples)
            by_backend.append(curve)
            yield curve.assign(claim=claim, backend=backend, quantity=quantity)
        yield _average(by_backend).assign(claim=claim, backend=ALL, quantity=quantity)


def _average(curves: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Average the curves up to the last k that every backend with a curve has."""
    curves = [curve.set_index("k") for curve in curves if len(curve)]
    if not curves:
        return best_of([])
    shared = set.intersection(*(set(curve.index) for curve in curves))
    stacked = np.stack([curve.loc[sorted(shared)].to_numpy(float) for curve in curves])
    frame = pd.DataFrame(stacked.mean(axis=0), columns=_CURVE[1:])
    frame.insert(0, "k", sorted(shared))
    return frame


def _reported_ks(n: int) -> Iterator[int]:
    """Yield the k that a curve reports, so that a long curve stays readable and small."""
    k = 1
    while k < n:
        yield k
        k += max(1, k // 50)
    yield n


def _least_rank(n: int, k: int) -> int:
    """Return a rank, from 0, that the best of k falls below with a probability under 1e-15."""
    return int(n * 1e-15 ** (1 / k))


def _at_most(n: int, ks: NDArray[np.int64], first: int = 0) -> Floats:
    """Return P(best of k <= i-th smallest) = C(i, k) / C(n, k), [ks, ranks from the first]."""
    k, i = ks[:, None], np.arange(first + 1, n + 1)
    factorial = gammaln(np.arange(1, n + 2))  # logarithms, of 0 … n
    rest = np.maximum(i - k, 0)
    of_all = factorial[n] - factorial[n - k]
    chance: Floats = np.where(i >= k, np.exp(factorial[i] - factorial[rest] - of_all), 0.0)
    chance[:, -1] = 1.0
    return chance


def _mean(ordered: Floats, chance: Floats) -> Floats:
    """Return the mean of the best of k, [..., ks], of sorted values [..., n]."""
    if np.isfinite(ordered[..., [0, -1]]).all():
        mean: Floats = ordered @ chance.T
        return mean
    # 0 · infinity is no contribution.
    finite = np.where(np.isfinite(ordered), ordered, 0.0) @ chance.T
    infinite = np.where(np.isinf(ordered), np.sign(ordered), 0.0) @ chance.T
    return np.where(infinite == 0, finite, np.copysign(np.inf, infinite))


def _ranks(at_most: Floats, share: float) -> NDArray[np.int64]:
    """Return, for each k, the first rank that bounds the best of k with this probability."""
    return np.asarray((at_most < share - _ROUNDING).sum(axis=1), np.int64)
