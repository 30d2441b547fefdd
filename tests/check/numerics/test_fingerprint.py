"""Fingerprints: a tensor that moves by a relative e moves its fingerprint by about e."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyseeds.check.numerics import fingerprint
from manyseeds.conformance.comparison import relative_distance

shapes = st.lists(st.integers(1, 40), min_size=1, max_size=2).map(tuple)
exponents = st.floats(-10, -1)
seeds = st.integers(0, 2**32 - 1)


def pair(seed, shape, exponent, sparse=False, lanes=1):
    """Return a tensor and one at the relative distance 10^exponent, in one place or in all."""
    draw = np.random.default_rng(seed)
    values = draw.standard_normal((lanes, *shape)) * 10.0 ** draw.uniform(-6, 6)
    move = draw.standard_normal((lanes, *shape))
    if sparse:
        move = np.zeros((lanes, *shape))
        move.reshape(lanes, -1)[:, draw.integers(move[0].size)] = 1.0
    norms = [np.linalg.norm(x.reshape(lanes, -1), axis=1) for x in (values, move)]
    scale = (10.0**exponent * norms[0] / norms[1]).reshape(lanes, *[1] * len(shape))
    return values, values + move * scale


@settings(max_examples=300, deadline=None)
@given(seed=seeds, shape=shapes, exponent=exponents, sparse=st.booleans())
def test_a_tensors_fingerprint_tells_the_real_distance_within_a_factor(
    seed, shape, exponent, sparse
):
    then, now = pair(seed, shape, exponent, sparse)
    real = relative_distance(now, then, 1)
    prints = [fingerprint.of_tensor("a", values) for values in (now, then)]
    told = float(fingerprint.distance(*prints).max())
    # Below a hundredth has a chance of about one in a million with three products; above 6, less.
    assert real / 100 < told < 6 * real


def test_over_many_directions_the_distance_is_the_real_one_on_average():
    ratios = []
    for seed in range(400):
        then, now = pair(seed, (9, 7), -5)
        difference = fingerprint.of_tensor("a", now) - fingerprint.of_tensor("a", then)
        ratios.append(np.mean(difference[..., 1:] ** 2) / np.linalg.norm(now - then) ** 2)
    # The mean of chi2_3 / 3 over 400 draws has the standard error sqrt(2 / 3 / 400) = 0.04.
    assert np.mean(ratios) == pytest.approx(1, abs=4 * 0.041)


@settings(max_examples=200, deadline=None)
@given(
    seed=seeds,
    exponent=st.floats(-10, -2),
    which=st.integers(0, 3),
    sizes=st.lists(st.floats(-9, 9), min_size=4, max_size=4),
)
def test_a_group_shows_a_change_of_any_of_its_tensors_be_it_small_or_large(
    seed, exponent, which, sizes
):
    draw = np.random.default_rng(seed)
    then = {f"t{n}": draw.standard_normal((1, 1, 30)) * 10.0**size for n, size in enumerate(sizes)}
    name = f"t{which}"
    move = draw.standard_normal(30)
    real = 10.0**exponent
    moved = then[name] + move * real * np.linalg.norm(then[name]) / np.linalg.norm(move)
    prints = [fingerprint.of_group(tensors) for tensors in (then | {name: moved}, then)]
    told = float(fingerprint.group_distance(*prints).max())
    assert real / 100 < told < 6 * real + 1e-13


@given(factor=st.floats(1.0 + 1e-9, 1.5))
def test_a_group_shows_a_tensor_that_only_grew(factor):
    then = {"kernel": np.ones((2, 3, 8)), "bias": np.full((2, 3, 2), 1e-7)}
    now = then | {"bias": then["bias"] * factor}
    told = fingerprint.group_distance(fingerprint.of_group(now), fingerprint.of_group(then))
    np.testing.assert_allclose(told, np.log(factor), rtol=1e-4)


def test_zeros_that_stay_are_no_distance_and_zeros_that_go_are_one():
    zero, one = np.zeros((1, 1, 5)), np.ones((1, 1, 5))
    same = fingerprint.of_tensor("a", zero[0])
    assert fingerprint.distance(same, same) == 0
    assert fingerprint.distance(fingerprint.of_tensor("a", one[0]), same) == np.inf
    then, now = {"a": zero, "b": one}, {"a": one, "b": one}
    prints = fingerprint.of_group(then), fingerprint.of_group(now)
    assert fingerprint.group_distance(prints[0], prints[0]).max() == 0
    assert fingerprint.group_distance(*prints).max() > 0.1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_infinitely_far_even_from_itself(bad):
    values = np.array([[1.0, bad, 2.0]])
    one = fingerprint.of_tensor("a", values)
    assert fingerprint.distance(one, one) == np.inf
    group = fingerprint.of_group({"a": values[None]})
    assert fingerprint.group_distance(group, group) == np.inf


def test_lanes_and_steps_are_told_apart():
    then = np.random.default_rng(0).standard_normal((3, 4, 6))
    now = then.copy()
    now[1, 2, 0] += 1e-3
    prints = [fingerprint.of_group({"a": values}) for values in (now, then)]
    where = np.argwhere(fingerprint.group_distance(*prints) > 1e-9)
    assert where.tolist() == [[1, 2]]


def test_the_vectors_are_fixed_for_ever():
    # What a baseline was made with must not move, whatever NumPy is installed.
    found = fingerprint.vectors("hidden1/kernel", 4)
    np.testing.assert_allclose(found[0], [0.27673044, -0.79843776, 1.64482261, 0.76188975], 1e-7)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 2.0)
    again = fingerprint.vectors("hidden1/kernel", 4)
    np.testing.assert_array_equal(found, again)
    assert not np.allclose(found, fingerprint.vectors("hidden1/bias", 4))


def test_bytes_tell_arrays_apart_by_value_shape_and_type():
    base = np.arange(6, dtype=np.int32)
    others = [base.reshape(2, 3), base.astype(np.int64), base[::-1]]
    assert fingerprint.of_bytes(base) == fingerprint.of_bytes(base.copy())
    assert all(fingerprint.of_bytes(base) != fingerprint.of_bytes(other) for other in others)
