"""p-values against SciPy, statsmodels and enumeration."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from manyseeds.statistics.hypothesis_tests import holm, sign_flips, wilcoxon


def sample(n, shift=0.3, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, n)


def test_the_signed_rank_test_of_darwins_maize():
    # Darwin (1876), cross- against self-fertilised, in eighths of an inch; in R:
    # wilcox.test(x) gives V = 96, p-value = 0.04126.
    heights = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert wilcoxon(heights)[0] == pytest.approx(0.04126, abs=5e-6)


def test_the_signed_rank_test_of_hollander_and_wolfes_depression_scores():
    # Hollander and Wolfe (1973), p. 29; in R's help of wilcox.test: V = 40, one-sided p = 0.01953.
    before = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    after = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    assert wilcoxon(before - after)[0] == pytest.approx(2 * 0.01953, abs=1e-5)


def test_fishers_own_permutation_of_darwins_maize():
    # Fisher (1935), The Design of Experiments, section 21: 863 of 2^15 sums are as large.
    heights = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    exact = 2 * 863 / 2**15
    assert sign_flips(heights)[0] == pytest.approx(exact, abs=3 * np.sqrt(exact / 10_000))


def test_many_pairs_have_the_p_value_that_flipping_would_give(monkeypatch):
    differences = np.random.default_rng(2).gamma(1, size=1500) - 0.96
    found = sign_flips(differences)[0]
    monkeypatch.setattr("manyseeds.statistics.hypothesis_tests.DRAWN", 2000)
    flipped = sign_flips(differences)[0]
    assert 0.01 < flipped < 0.9
    assert found == pytest.approx(flipped, abs=3 * np.sqrt(flipped * (1 - flipped) / 10_000))


@given(st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=1, max_size=30),
       st.floats(0.1, 10), st.randoms())  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_units_signs_and_the_order_of_few_seeds_do_not_matter(values, unit, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    alike = [np.array(values) * unit, -np.array(values)]
    for test in (wilcoxon, sign_flips):
        expected = test(np.array(values))[0]
        for other in alike:
            assert test(other)[0] == pytest.approx(expected, abs=1e-9)
    assert wilcoxon(shuffled)[0] == pytest.approx(wilcoxon(values)[0])
    if len(values) <= 12:
        assert sign_flips(shuffled)[0] == pytest.approx(sign_flips(values)[0])


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


def test_holm_ignores_unknown_p_values():
    np.testing.assert_allclose(holm([0.01, np.nan, 0.02]), [0.02, np.nan, 0.02])


@pytest.mark.parametrize("test", [wilcoxon, sign_flips])
def test_under_the_null_p_values_are_uniform_at_least(test):
    noise = np.random.default_rng(3).standard_t(4, (30, 2000))
    p = test(noise)
    for level in (0.01, 0.05, 0.2):
        error = 3 * np.sqrt(level * (1 - level) / 2000)
        assert np.mean(p <= level) <= level + error
