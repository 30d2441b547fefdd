"""PyTorch's noise is the definition's, bit for bit."""

import numpy as np
import pytest

from manyseeds.randomness import noise as reference

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch.noise import GraphNoise, HostNoise, threefry  # noqa: E402
from tests.backends.pytorch.device_toy import CPU, cpu  # noqa: E402
from tests.backends.pytorch.layer_toy import KEYS  # noqa: E402

KNOWN_ANSWERS = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("key", "counter", "words"), KNOWN_ANSWERS)
def test_threefry_gives_the_known_answers_of_random123(key, counter, words):
    tensors = [
        torch.from_numpy(np.array([word], np.uint32).view(np.int32)) for word in (*key, *counter)
    ]
    answers = [word.numpy().view(np.uint32)[0] for word in threefry(*tensors)]
    assert answers == list(words)


@pytest.mark.parametrize("step", [0, 1, 77, 2**31, 2**32 - 1])
@pytest.mark.parametrize("elements", [1, 4, 6, 801])
def test_noise_is_bit_identical_on_host_and_in_the_graph(step, elements):
    keys = np.random.default_rng(3).integers(0, 2**32, (5, 2), dtype=np.uint32)
    expected = reference.halves(keys, step, elements)
    host = HostNoise(keys, CPU)
    host.fractions(step + 3 & 0xFF, 50)  # Earlier draws must not matter.
    halves = host.fractions(step, elements).numpy() * reference.HALVES - 0.5
    np.testing.assert_array_equal(halves, expected)
    graph = GraphNoise(keys, CPU)
    np.testing.assert_array_equal(graph.halves(step, elements).numpy(), expected)


def test_a_half_at_the_threshold_is_kept():
    keys = np.random.default_rng(4).integers(0, 2**32, (1, 2), dtype=np.uint32)
    half = int(reference.halves(keys, 0, 1)[0, 0])
    for noise in (HostNoise(keys, CPU), GraphNoise(keys, CPU)):
        assert noise.keep(0, 1, half).item() is True
        assert noise.keep(0, 1, half + 1).item() is False


@pytest.mark.parametrize("elements", [1, 2, 5, 800])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normals_and_fractions_are_the_definition(elements, dtype):
    device = cpu(getattr(torch, dtype))
    expected = reference.normals(KEYS, 6, elements, dtype)
    slopes = reference.slopes(KEYS, 6, 1, elements, 0.0, 1.0)[:, 0]
    tolerance = 1e-14 if dtype == "float64" else 2e-6
    for noise in (HostNoise(KEYS, device), GraphNoise(KEYS, device)):
        normals = noise.normals(6, elements)
        assert str(normals.dtype) == f"torch.{dtype}"
        np.testing.assert_allclose(normals, expected, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(noise.fractions(6, elements), slopes, rtol=1e-7)


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (8, 16), (17, 24), (40, 30)])
def test_the_transposed_mask_is_the_definition_transposed(shape):
    expected = reference.kept(KEYS, 6, *shape, 0.3).swapaxes(1, 2)
    for noise in (HostNoise(KEYS, CPU), GraphNoise(KEYS, CPU)):
        mask = noise.keep_transposed(6, shape, reference.threshold(0.3))
        np.testing.assert_array_equal(mask, expected)
