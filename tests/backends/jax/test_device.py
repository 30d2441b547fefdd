"""The device that the JAX wing opens, and its description."""

import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

from dataclasses import replace

import jax

from manyseeds.backend.settings import Settings
from manyseeds.errors import RequestError
from manyseeds_jax import entry
from manyseeds_jax.device import describe, known_options


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
    assert described.switches["compiler_options"] == "--xla_cpu_multi_thread_eigen=false"
    assert described.flags_left_out == ()
    assert single.peak_memory() == 0
    assert entry.unsupported(None) is None


def test_an_option_that_xla_does_not_know_is_left_out():
    wanted = {
        "xla_cpu_multi_thread_eigen": False,
        "xla_gpu_deterministic_ops": True,
        "xla_option_of_another_release": True,
    }
    assert list(known_options(wanted)) == list(wanted)[:2]


def test_an_option_that_was_left_out_is_described(single):
    device = replace(single.device, unknown_options=("--xla_option_of_another_release=true",))
    assert describe(device).flags_left_out == ("--xla_option_of_another_release=true",)
