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


def test_several_suites_are_resampled_as_scipys_independent_samples():
    samples = suites(40, 25, 60)
    theirs = stats.bootstrap(
        samples, lambda *each, axis: np.concatenate(each, axis=axis).mean(axis=axis),
        method="percentile", n_resamples=10_000, rng=2,
    ).confidence_interval  # fmt: skip
    found = stratified(samples, mean)
    width = theirs.high - theirs.low
    assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=width / 15)


def test_the_order_of_suites_and_the_unit_hardly_matter():
    samples = suites(30, 20)
    found, turned = stratified(samples), stratified(samples[::-1])
    width = found.high - found.low
    assert turned.estimate == pytest.approx(found.estimate)
    assert (turned.low, turned.high) == pytest.approx((found.low, found.high), abs=width / 15)
    doubled = stratified([2 * each for each in samples])
    assert doubled == pytest.approx([2 * number for number in found])


def test_gaps_and_empty_suites_are_left_out():
    first, second = suites(20, 20)
    with_gaps = np.concatenate([first, [np.nan, np.inf]])
    assert stratified([with_gaps, second, [np.nan]]) == stratified([first, second])
    assert np.isnan(stratified([[np.nan], []])).all()


def test_values_that_are_all_equal_have_no_spread():
    assert stratified([[0.5] * 8, [0.5] * 3]) == (0.5, 0.5, 0.5)
