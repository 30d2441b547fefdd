"""The JAX wing's noise against published vectors and its definition in NumPy."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

import jax
import jax.numpy as jnp

from manyseeds.randomness import noise as definition
from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE
from manyseeds_jax import noise as noises
from tests.backends.jax.toy import BATCH, dense_network, plan, started


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_known_answers_of_random123(single, key, counter, words):
    vectors = [jnp.full(1, word, jnp.uint32) for word in key + counter]
    for ours in (noises.threefry2x32_p.bind(*vectors), noises.threefry(*vectors)):
        assert tuple(int(word[0]) for word in ours) == words


@pytest.mark.parametrize("step", [0, 70_001, 2**32 - 1])
def test_noise_is_bit_identical_to_its_definition(single, step):
    elements = {"one": 1, "four": 4, "six": 6, "many": 333, "large": 4 * noises.LARGE_NOISE + 1}
    generator = np.random.default_rng(2)
    keys = {label: generator.integers(0, 2**32, (3, 2), dtype=np.uint32) for label in elements}
    counts = {label: definition.blocks(count) for label, count in elements.items()}

    def draw(keys):
        words = noises.words(keys, jnp.uint32(step), counts)
        return {label: noises.halves(words[label], (elements[label],)) for label in elements}

    ours = jax.vmap(draw)(jax.tree.map(jnp.asarray, keys))
    for label, count in elements.items():
        expected = definition.halves(keys[label], step, count)
        np.testing.assert_array_equal(np.asarray(ours[label]), expected)
        assert ours[label].dtype == expected.dtype


def test_the_half_that_is_the_threshold_is_kept(single):
    words = [jnp.asarray([high << 16 | low], jnp.uint32) for low, high in ((0, 99), (100, 65535))]
    dropped = noises.dropout(jnp.ones((2, 2)), tuple(words), jnp.int32(100), jnp.asarray(1.5))
    np.testing.assert_array_equal(dropped, [[0, 0], [1.5, 1.5]])


def test_alpha_dropout_keeps_mean_and_variance_under_selu(double):
    normal = np.random.default_rng(4).normal(size=(500, 400))
    values = SELU_SCALE * np.where(normal > 0, normal, SELU_ALPHA * np.expm1(np.minimum(normal, 0)))
    key = {"layer": jnp.asarray([3, 4], jnp.uint32)}
    words = noises.words(key, jnp.uint32(0), {"layer": definition.blocks(values.size)})["layer"]
    a, b = definition.alpha_affine(0.3)
    dropped = noises.alpha_dropout(
        jnp.asarray(values), words, jnp.int32(definition.threshold(0.3)), a, b
    )
    np.testing.assert_allclose(dropped.mean(), 0, atol=0.01)
    np.testing.assert_allclose(dropped.var(), 1, atol=0.01)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 2e-5)])
def test_normals_are_close_to_their_definition(double, dtype, tolerance):
    key = np.array([[7, 8]], np.uint32)
    counts = {"layer": definition.normal_blocks(1001)}
    words = noises.words({"layer": jnp.asarray(key[0])}, jnp.uint32(9), counts)["layer"]
    ours = noises.normals(words, (7, 143), np.dtype(dtype))
    assert ours.dtype == dtype
    expected = definition.normals(key, 9, 1001).reshape(7, 143)
    np.testing.assert_allclose(ours, expected, atol=tolerance)


def test_the_noise_of_a_step_is_counted_from_the_first_step_of_the_plan(double):
    net = dense_network((8, "relu"), dropout=0.4)
    whole = plan(net, [1, 2], rows=2 * BATCH)
    at_once = started(double, net, seeds=[1, 2]).train(whole).loss
    cohort = started(double, net, seeds=[1, 2])
    for step in range(2):
        part = whole.steps(step, step + 1)
        np.testing.assert_allclose(cohort.train(part).loss[:, 0], at_once[:, step], rtol=1e-12)
