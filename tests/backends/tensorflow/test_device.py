"""The device, its environment, and its errors."""

from __future__ import annotations

import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from manyseeds.backend.settings import Settings
from manyseeds.errors import RequestError
from manyseeds_tensorflow import entry


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
