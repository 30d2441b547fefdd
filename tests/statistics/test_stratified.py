"""The bootstrap over several suites."""

import numpy as np
import pytest
from scipy import stats

from manyseeds.statistics.stratified import interquartile_mean, mean, stratified


def suites(*sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(number, 0.1, size) for number, size in enumerate(sizes)]


def test_the_interquartile_mean_is_scipys_trimmed_mean():
    values = np.random.default_rng(0).gamma(2, size=(5, 37))
    np.testing.assert_allclose(interquartile_mean(values), stats.trim_mean(values, 0.25, axis=1))


def test_suites_are_not_drawn_only_seeds():
    # The suites differ by far more than their seeds: were they drawn, the interval would be wide.
    found = stratified(suites(50, 50, 50), mean)
    assert found.low < found.estimate < found.high
    width = 2 * 1.96 * 0.1 / np.sqrt(150)
    assert found.high - found.low == pytest.approx(width, rel=0.2)
    assert found.estimate == pytest.approx(np.mean(np.concatenate(suites(50, 50, 50))))


def test_one_suite_alone_is_the_percentile_bootstrap_of_scipy():
    (values,) = suites(40)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=10_000, rng=1)
    found = stratified([values], mean)
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert (found.low, found.high) == pytest.approx(
        tuple(theirs.confidence_interval), abs=width / 20
    )


def test_gaps_and_empty_suites_are_left_out():
    first, second = suites(20, 20)
    with_gaps = np.concatenate([first, [np.nan, np.inf]])
    assert stratified([with_gaps, second, [np.nan]]) == stratified([first, second])
    assert np.isnan(stratified([[np.nan], []])).all()


def test_values_that_are_all_equal_have_no_spread():
    assert stratified([[0.5] * 8, [0.5] * 3]) == (0.5, 0.5, 0.5)
