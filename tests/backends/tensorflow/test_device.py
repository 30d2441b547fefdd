"""The device, its environment, and its errors."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from manyseeds.backend.compiled_programs import unknown_flags
from manyseeds.backend.settings import Settings
from manyseeds.errors import RequestError
from manyseeds_tensorflow import entry
from manyseeds_tensorflow.device import COMPILES, describe


def test_the_environment_describes_this_process(single):
    result = single.describe()
    assert result.backend == entry.name
    assert result.versions["tensorflow"] == tf.__version__
    assert result.device == "cpu"
    assert result.threads == tf.config.threading.get_inter_op_parallelism_threads() > 0
    assert result.switches["deterministic"] is True
    assert result.switches["tf32"] is False
    assert single.peak_memory() == 0


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_a_request_for_missing_cuda_is_a_clear_error():
    with pytest.raises(RequestError, match=r"sees only: .*CPU.*manyseeds\[tensorflow-cuda\]"):
        entry.open(Settings(device="cuda"))
    assert entry.open(Settings(device="auto")).describe().device == "cpu"


def test_a_release_that_nobody_has_asked_yet_is_asked_for_the_flags_it_knows():
    flags = ("--xla_cpu_multi_thread_eigen=false", "--xla_flag_of_another_release=true")
    assert unknown_flags("XLA_FLAGS", flags, COMPILES) == flags[1:]
    assert unknown_flags("XLA_FLAGS", flags[:1], COMPILES) == ()


def test_a_flag_that_was_left_out_is_described(single):
    device = replace(single.resources.device, unknown_flags=("--xla_flag_of_another_release=true",))
    assert describe(device).flags_left_out == ("--xla_flag_of_another_release=true",)
