"""p-values against SciPy, statsmodels and enumeration."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from manyseeds.statistics.hypotheses import holm, sign_flips, wilcoxon


def sample(n, shift=0.3, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, n)


def test_the_signed_rank_test_of_darwins_maize():
    # Darwin (1876), cross- against self-fertilised, in eighths of an inch; in R:
    # wilcox.test(x) gives V = 96, p-value = 0.04126.
    heights = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert wilcoxon(heights)[0] == pytest.approx(0.04126, abs=5e-6)


def test_columns_are_tested_apart_and_gaps_left_out():
    long, short = sample(40), sample(9, seed=1)
    padded = np.full(40, np.nan)
    padded[3:12] = short
    for test in (wilcoxon, sign_flips):
        together = test(np.stack([long, padded], axis=1))
        np.testing.assert_allclose(together, [test(long)[0], test(short)[0]])


@pytest.mark.parametrize("n", [1, 4, 9])
def test_few_pairs_are_permuted_exactly(n):
    differences = sample(n)
    sums = [abs(np.dot(s, differences)) for s in itertools.product((-1, 1), repeat=n)]
    expected = np.mean(np.array(sums) >= abs(differences.sum()) - 1e-12)
    assert sign_flips(differences)[0] == pytest.approx(expected)


def test_many_pairs_are_permuted_as_scipy_does():
    differences = sample(40, 0.25)
    theirs = stats.permutation_test(
        (differences,),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        n_resamples=9999,
        rng=np.random.default_rng(5),
    )
    assert sign_flips(differences)[0] == pytest.approx(theirs.pvalue, abs=0.01)


def test_nothing_but_ties_is_no_surprise_and_nothing_at_all_is_unknown():
    for test in (wilcoxon, sign_flips):
        assert test([0.0, 0.0, 0.0, 0.0, 0.0, 0.0])[0] == 1
        assert np.isnan(test([np.nan, np.nan])[0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_statsmodels(p):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    np.testing.assert_allclose(holm(p), multitest.multipletests(p, method="holm")[1])


def test_what_is_unknown_does_not_count_in_holm():
    np.testing.assert_allclose(holm([0.01, np.nan, 0.02]), [0.02, np.nan, 0.02])


@pytest.mark.parametrize("test", [wilcoxon, sign_flips])
def test_under_the_null_p_values_are_uniform_at_least(test):
    noise = np.random.default_rng(3).standard_t(4, (30, 2000))
    p = test(noise)
    for level in (0.01, 0.05, 0.2):
        error = 3 * np.sqrt(level * (1 - level) / 2000)
        assert np.mean(p <= level) <= level + error
