"""The device that the JAX wing opens, and its description."""

import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

import jax

from manyseeds.backend.settings import Settings
from manyseeds.errors import RequestError
from manyseeds_jax import entry


def test_a_request_for_cuda_without_a_gpu_names_the_platforms_and_the_remedy(single):
    if any(device.platform == "gpu" for device in jax.devices()):
        pytest.skip("there is a GPU")
    with pytest.raises(RequestError, match=r"sees only: cpu.*device 'cpu'.*jax-cuda"):
        entry.open(Settings(device="cuda"))
    assert entry.open(Settings(device="auto")).describe().device == "cpu"


def test_the_description_names_versions_device_and_switches(single):
    described = single.describe()
    assert described.backend == "jax"
    assert described.versions["jax"] == jax.__version__
    assert {"jaxlib", "flax", "optax", "numpy"} <= set(described.versions)
    assert (described.device, described.threads) == ("cpu", 2)
    assert described.switches["deterministic"] is True
    assert single.peak_memory() == 0
    assert entry.unsupported(None) is None
