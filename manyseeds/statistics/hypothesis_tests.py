"""Tests of paired differences: p-values beside the intervals, and Holm's correction of them.

Verdicts rest on intervals (`manyseeds.statistics.verdict`). These tests say the same in the terms
of most papers, and need no bootstrap.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.special import ndtr
from statsmodels.stats.multitest import multipletests

from manyseeds.statistics.resampling import DRAWN, RESAMPLES, SEED, Floats, ratio

_EXACT = 13
"""Up to this many pairs, every one of the 2^n sign flips is tried."""

_BLOCK = 1_000
"""Sign flips tried at once: bounds the memory at 8 · DRAWN · _BLOCK bytes, 8 MB."""


def wilcoxon(differences: ArrayLike) -> Floats:
    """Return the two-sided p-value of Wilcoxon's signed-rank test for each column.

    Zero differences are left out (Wilcoxon 1945); ties share their ranks.

    Parameters
    ----------
    differences
        [n, columns]; NaN means no pair.

    Returns
    -------
    numpy.ndarray
        [columns]; 1 where all differences are 0, NaN where there is no pair.
    """
    table = _columns(differences)
    return np.array([_wilcoxon(column[np.isfinite(column)]) for column in table.T])


def sign_flips(differences: ArrayLike) -> Floats:
    """Return the two-sided p-value of the sign-flip test of a zero mean, for each column.

    If the two recipes of a pair are exchangeable, a difference is as likely as its opposite (Fisher
    1935). Up to 13 pairs, all sign flips are tried; beyond, as many as the bootstrap has resamples,
    the observed differences among them (Phipson and Smyth 2010); beyond a thousand pairs the normal
    approximation is used.

    Parameters
    ----------
    differences
        [n, columns]; NaN means no pair.

    Returns
    -------
    numpy.ndarray
        [columns]; NaN where there is no pair.
    """
    table = _columns(differences)
    finite = np.isfinite(table)
    count = finite.sum(axis=0)
    p = np.full(table.shape[1], np.nan)
    for n in np.unique(count[count > 0]):
        columns = np.flatnonzero(count == n)
        packed = table[:, columns].T[finite[:, columns].T].reshape(len(columns), n).T
        p[columns] = _sign_flips(packed)
    return p


def holm(p: ArrayLike) -> Floats:
    """Return Holm's (1979) adjusted p-values; a NaN stays NaN and does not count.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    adjusted = np.array(p, dtype=np.float64)
    known = np.isfinite(adjusted)
    if known.sum() > 1:  # statsmodels collects garbage in every call: spare the trivial ones
        adjusted[known] = multipletests(adjusted[known], method="holm")[1]
    return adjusted


def _wilcoxon(differences: Floats) -> float:
    if not len(differences):
        return np.nan
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)


def _sign_flips(differences: Floats) -> Floats:
    """Return the p-values of columns without gaps."""
    n = len(differences)
    observed = np.abs(differences.sum(axis=0))
    if n > DRAWN:
        error = np.sqrt((differences**2).sum(axis=0))
        return np.where(observed > 0, 2 * ndtr(-ratio(observed, error)), 1.0)
    # Sums of the same numbers in another order: equal but for rounding.
    least = observed - 1e-12 * np.abs(differences).sum(axis=0)
    as_large, flips = np.zeros(differences.shape[1]), 0
    for signs in _signs(n):
        as_large += (np.abs(signs @ differences) >= least).sum(axis=0)
        flips += len(signs)
    p: Floats = as_large / flips if n <= _EXACT else (as_large + 1) / (flips + 1)
    return p


def _signs(n: int) -> Iterator[Floats]:
    """Yield blocks of sign flips, [flips, n]."""
    if n <= _EXACT:
        yield np.array(list(itertools.product((-1.0, 1.0), repeat=n)))
        return
    rng = np.random.default_rng(SEED)
    for block in range(0, RESAMPLES - 1, _BLOCK):
        flips = min(_BLOCK, RESAMPLES - 1 - block)
        yield 2 * rng.integers(0, 2, (flips, n), dtype=np.int8).astype(np.float64) - 1


def _columns(values: ArrayLike) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    return table[:, None] if table.ndim == 1 else table
