"""Noise: Threefry-2x32-20 as published, in the layout of the contract."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from manyseeds.randomness import noise
from manyseeds.randomness.streams import key
from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE

ONES = 0xFFFFFFFF
KNOWN_ANSWERS = [
    # Random123's kat_vectors, lines "threefry2x32 20": counter, key, result.
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((ONES, ONES), (ONES, ONES), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


def words(*values):
    return np.array(values, dtype=np.uint32)


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_threefry_gives_the_published_answers(counter, key, expected):
    found = noise.threefry(words(*key)[None], words(*counter)[None])
    assert found.tolist() == [list(expected)]


def test_threefry_agrees_with_an_implementation_in_c():
    randomgen = pytest.importorskip("randomgen")
    theirs = randomgen.ThreeFry(key=0, counter=0, number=2, width=32)
    state = theirs.state
    lane = words(0xDEADBEEF, 12345)
    # It increments its counter before it draws: one below (block 0, step 5) is (2^32 - 1, 4).
    state["state"] = {"counter": words(ONES, 4), "key": lane}
    theirs.state = state
    counters = np.stack([np.arange(50, dtype=np.uint32), np.full(50, 5, np.uint32)], axis=-1)
    assert (noise.threefry(lane, counters).ravel() == theirs.random_raw(100)).all()


def test_the_low_half_comes_first_and_first_words_before_second_words():
    lane = words(1, 2)
    first, second = noise.threefry(lane, np.stack([words(0, 9), words(1, 9)]))
    plane = [first[0], second[0], first[1], second[1]]
    expected = [half for word in plane for half in (word & 0xFFFF, word >> 16)]
    assert noise.halves(lane[None], 9, 8)[0].tolist() == [int(half) for half in expected]


@given(elements=st.integers(1, 40))
def test_blocks_hold_all_elements_and_none_is_superfluous(elements):
    assert 4 * (noise.blocks(elements) - 1) < elements <= 4 * noise.blocks(elements)


@given(
    seeds=st.lists(st.integers(0, 2**31), min_size=1, max_size=3),
    step=st.integers(0, 2**32 - 1),
    elements=st.integers(1, 30),
    fewer=st.integers(0, 3),
)
def test_fewer_elements_of_the_same_blocks_are_the_same_noise(seeds, step, elements, fewer):
    keys = np.stack([key(seed, "dropout", "net", "dropout1") for seed in seeds])
    whole = 4 * noise.blocks(elements)
    some = max(whole - fewer, whole - 3)
    found = noise.halves(keys, step, some)
    assert found.shape == (len(seeds), some)
    assert (found == noise.halves(keys, step, whole)[:, :some]).all()
    assert (found[-1] == noise.halves(keys[-1:], step, some)[0]).all()


def test_halves_are_uniform_and_independent_between_lanes_steps_and_elements():
    keys = np.stack([key(seed, "dropout", "net", "dropout1") for seed in range(4)])
    drawn = np.stack([noise.halves(keys, step, 4096) for step in range(8)])
    counts, _ = np.histogram(drawn, bins=256, range=(0, noise.HALVES))
    assert stats.chisquare(counts).pvalue > 1e-3
    # Pairs of neighbours in 16 x 16 cells, along the elements, the steps and the lanes.
    cells = drawn >> 12
    for before, after in (
        (cells[..., :-1], cells[..., 1:]),
        (cells[:-1], cells[1:]),
        (cells[:, :-1], cells[:, 1:]),
    ):
        pairs = np.bincount((before * 16 + after).ravel(), minlength=256)
        assert stats.chisquare(pairs).pvalue > 1e-3


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_dropout_keeps_the_stated_share_and_the_mean(rate):
    keys = np.stack([key(seed, "dropout", "net", "dropout1") for seed in range(5)])
    kept = noise.kept(keys, 3, 100, 200, rate)
    assert kept.shape == (5, 100, 200)
    share = 1 - noise.threshold(rate) / noise.HALVES
    assert share == pytest.approx(1 - rate, abs=1e-5)
    assert noise.keep_scale(rate) * share == pytest.approx(1, abs=1e-15)
    sd = np.sqrt(rate * (1 - rate) / kept.size)
    assert kept.mean() == pytest.approx(1 - rate, abs=4.5 * sd + 1e-5)


def test_an_element_is_dropped_below_the_threshold_and_kept_from_it_on():
    keys = words(3, 4)[None]
    halves = noise.halves(keys, 0, 12)[0].astype(int)
    rate = int(np.sort(halves)[5]) / noise.HALVES
    kept = noise.kept(keys, 0, 3, 4, rate).ravel()
    assert (kept == (halves >= np.sort(halves)[5])).all()
    assert kept.sum() == 7


@given(rates=st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)))
def test_an_element_kept_at_a_rate_is_kept_at_every_lower_rate(rates):
    keys = words(3, 4)[None]
    low, high = (noise.kept(keys, 0, 5, 7, rate) for rate in sorted(rates))
    assert (low | ~high).all()


KEYS = np.stack([key(seed, "dropout", "net", "layer") for seed in range(4)])


def test_normals_are_unit_normals_and_independent():
    drawn = np.stack([noise.normals(KEYS, step, 20_001) for step in range(3)])
    assert drawn.shape == (3, 4, 20_001)
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 1e-3
    n = drawn.size
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        spread = 4.5 * np.sqrt(variance / n)
        assert (drawn**power).mean() == pytest.approx(moment, abs=spread)
    half = 10_001
    for one, two in (
        (drawn[0], drawn[1]),
        (drawn[:, 0], drawn[:, 1]),
        (drawn[..., :-1], drawn[..., 1:]),
        (drawn[..., : half - 1], drawn[..., half:]),  # cosines and sines of the same blocks
    ):
        assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 4.5 / np.sqrt(one.size)


def test_normals_are_the_box_muller_transform_of_the_words_of_their_block():
    words_ = noise.threefry(KEYS[0], np.stack([words(0, 7), words(1, 7)])).astype(float)
    first, second = (words_ + 0.5).T / 2**32
    radius, angle = np.sqrt(-2 * np.log(first)), 2 * np.pi * second
    expected = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    assert noise.normals(KEYS[:1], 7, 4)[0] == pytest.approx(expected, rel=1e-13)
    single = noise.normals(KEYS[:1], 7, 4, np.float32)
    assert single.dtype == np.float32
    assert single[0] == pytest.approx(expected, rel=1e-4)


@given(
    seeds=st.lists(st.integers(0, 2**31), min_size=1, max_size=3),
    step=st.integers(0, 2**32 - 1),
    elements=st.integers(1, 30),
)
def test_a_lanes_normals_do_not_depend_on_the_other_lanes(seeds, step, elements):
    keys = np.stack([key(seed, "augment", "net", "noise1") for seed in seeds])
    drawn = noise.normals(keys, step, elements)
    assert drawn.shape == (len(seeds), elements)
    assert 2 * (noise.normal_blocks(elements) - 1) < elements <= 2 * noise.normal_blocks(elements)
    np.testing.assert_array_equal(drawn, noise.normals(keys, step, elements))
    np.testing.assert_array_equal(drawn[-1:], noise.normals(keys[-1:], step, elements))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.2, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_and_variance(rate):
    """Exactly, for inputs of mean 0 and variance 1; by sampling, for the selu of unit normals."""
    a, b = noise.alpha_affine(rate)
    keep = 1 - noise.threshold(rate) / noise.HALVES
    floor = -SELU_SCALE * SELU_ALPHA
    assert pytest.approx(floor, rel=1e-15) == noise.SELU_FLOOR
    # E and Var of a (x d + floor (1 - d)) + b for d of Bernoulli(keep).
    mean = a * floor * (1 - keep) + b
    variance = a**2 * (keep + floor**2 * keep * (1 - keep))
    assert mean == pytest.approx(0, abs=1e-15)
    assert variance == pytest.approx(1, rel=1e-14)
    z = noise.normals(KEYS, 0, 200 * 500).reshape(4, 200, 500)
    x = SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(z))
    kept = noise.kept(KEYS, 1, 200, 500, rate)
    after = a * np.where(kept, x, floor) + b
    n = after.size
    assert after.mean() == pytest.approx(0, abs=4.5 / np.sqrt(n))
    spread = 4.5 * np.sqrt((stats.kurtosis(after.ravel()) + 2) / n)
    assert after.var() == pytest.approx(1, abs=spread)


def test_the_slopes_of_a_randomised_relu_are_uniform_between_their_bounds():
    drawn = noise.slopes(KEYS, 3, 100, 50, 1 / 8, 1 / 3)
    assert drawn.shape == (4, 100, 50)
    width = 1 / 3 - 1 / 8
    assert stats.kstest(drawn.ravel(), stats.uniform(1 / 8, width).cdf).pvalue > 1e-3
    assert 1 / 8 < drawn.min() < drawn.max() < 1 / 3
    halves = noise.halves(KEYS, 3, 5000).reshape(4, 100, 50)
    np.testing.assert_allclose(drawn, 1 / 8 + width * (halves + 0.5) / 65536, rtol=1e-15)
    assert (noise.slopes(KEYS, 3, 4, 5, 0.25, 0.25) == 0.25).all()
