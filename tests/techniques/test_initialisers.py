"""Initialisers: the distribution of a kernel's first weights, compared with SciPy's."""

from typing import get_args

import numpy as np
import pytest
from scipy import stats

from manyseeds.techniques import initialisers
from manyseeds.techniques.initialisers import Initialiser, truncated_normal

SHAPE = (300, 100)
VARIANCES = {
    # Closed forms for fan_in 300, fan_out 100.
    initialisers.GlorotUniform: 1 / 200,
    initialisers.GlorotNormal: 1 / 200,
    initialisers.HeUniform: 2 / 300,
    initialisers.HeNormal: 2 / 300,
    initialisers.HeAvgUniform: 2 / 200,
    initialisers.LecunUniform: 1 / 300,
    initialisers.LecunNormal: 1 / 300,
    initialisers.StandardNormal: 1.0,
}


def drawn(initialiser, seed=0):
    generator = np.random.Generator(np.random.Philox(seed))
    return np.stack([initialiser.draw(generator, SHAPE) for _ in range(4)])


def distribution(initialiser, variance):
    sd = np.sqrt(variance)
    if initialiser is initialisers.StandardNormal:
        return stats.norm()
    if initialiser.uniform:
        return stats.uniform(-np.sqrt(3) * sd, 2 * np.sqrt(3) * sd)
    return stats.truncnorm(-2, 2, scale=sd / stats.truncnorm(-2, 2).std())


def test_every_initialiser_of_the_suites_is_tested_here():
    union, *_ = get_args(Initialiser)
    others = {initialisers.Constant, initialisers.Fixup}
    assert {*VARIANCES, *others} == set(get_args(union))


@pytest.mark.parametrize("initialiser", VARIANCES, ids=lambda cls: cls.__name__)
def test_weights_have_the_distribution_and_variance_of_the_papers(initialiser):
    weights = drawn(initialiser())
    expected = distribution(initialiser, VARIANCES[initialiser])
    assert weights.shape == (4, *SHAPE)
    assert expected.var() == pytest.approx(VARIANCES[initialiser], rel=1e-12)
    assert stats.kstest(weights.ravel(), expected.cdf).pvalue > 1e-3
    n = weights.size
    assert weights.mean() == pytest.approx(0, abs=4.5 * np.sqrt(expected.var() / n))
    kurtosis = float(expected.stats("k"))
    spread = 4.5 * np.sqrt((kurtosis + 2) / n)
    assert weights.var() == pytest.approx(expected.var(), rel=spread)


@pytest.mark.parametrize("initialiser", VARIANCES, ids=lambda cls: cls.__name__)
def test_a_draw_depends_on_its_generator_alone(initialiser):
    assert (drawn(initialiser(), 1) == drawn(initialiser(), 1)).all()
    assert (drawn(initialiser(), 1) != drawn(initialiser(), 2)).all()


def test_no_truncated_weight_lies_beyond_two_standard_deviations():
    values = truncated_normal(np.random.default_rng(0), (200_000,))
    assert np.abs(values).max() <= 2
    assert stats.kstest(values, stats.truncnorm(-2, 2).cdf).pvalue > 1e-3


def test_the_standard_deviation_of_the_truncated_normal_is_the_closed_form():
    known = stats.truncnorm(-2, 2).std()
    assert known == pytest.approx(initialisers.TRUNCATED_SD, rel=1e-14)


def test_constant_weights_are_all_the_same():
    kernel = initialisers.Constant(value=0.3).draw(np.random.default_rng(0), SHAPE)
    assert (kernel == 0.3).all()
    assert kernel.shape == SHAPE


def test_standard_normal_weights_may_have_another_standard_deviation():
    """The chapter's 1,000 selu layers: N(0, 1 / 100), not cut."""
    weights = drawn(initialisers.StandardNormal(sd=0.1)).ravel()
    assert stats.kstest(weights, stats.norm(scale=0.1).cdf).pvalue > 1e-3
    np.testing.assert_array_equal(weights, drawn(initialisers.StandardNormal()).ravel() * 0.1)


@pytest.mark.parametrize(
    ("branches", "layers", "scale"), [(4, 2, 1 / 2), (9, 2, 1 / 3), (16, 3, 1 / 2), (1, 5, 1)]
)
def test_fixup_is_he_normal_times_branches_to_the_power_of_the_paper(branches, layers, scale):
    """Zhang, Dauphin and Ma 2019: L^(-1 / (2 m - 2)) for L branches of m layers each."""
    found = drawn(initialisers.Fixup(branches=branches, layers=layers))
    np.testing.assert_allclose(found, drawn(initialisers.HeNormal()) * scale, rtol=1e-14)
    assert not drawn(initialisers.Fixup(branches=branches, layers=layers, last=True)).any()
