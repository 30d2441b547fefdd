"""PyTorch's backend: its settings, its cache and its refusals."""

import subprocess
import sys
from dataclasses import replace

import pytest

from manyseeds.backend.discovery import backend_entry
from manyseeds.backend.settings import Settings
from manyseeds.backend.task_cache import CACHED_TASKS
from manyseeds.errors import RequestError

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch import entry  # noqa: E402
from tests.backends.pytorch.dense_toy import (  # noqa: E402
    a_network,
    a_phase,
    some_data,
)


def test_cuda_where_there_is_none_is_a_request_error():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(RequestError, match=r"'cuda' is not available.*'cpu' or 'auto'"):
        entry.open(Settings(device="cuda"))
    assert entry.open(Settings(device="auto")).describe().device == "cpu"


def test_environment_describes_the_settings_in_force():
    backend = entry.open(Settings(threads=1, precision="float64"))
    environment = backend.describe()
    assert environment.versions["torch"] == torch.__version__
    assert (environment.backend, environment.device, environment.threads) == ("pytorch", "cpu", 1)
    assert torch.get_num_threads() == 1
    assert environment.switches["deterministic"] is True
    assert environment.switches["tf32"] is False
    assert environment.switches["precision"] == "float64"
    assert backend.peak_memory() == 0
    entry.open(Settings())


def test_data_stay_on_the_device_by_key(double):
    network = a_network()
    data = some_data(key="cached")
    double.cohort(network, data, 1)
    tensors = double._tasks.of(data)[network.loss]
    double.cohort(network, replace(data), 2)
    assert double._tasks.of(data)[network.loss] is tensors
    for number in range(3):
        double.cohort(network, some_data(key=f"other{number}"), 1)
    assert len(double._tasks) == CACHED_TASKS
    assert not double._tasks.of(data)


def test_a_phase_of_another_structure_is_refused(double):
    cohort = double.cohort(a_network(), some_data(), 1)
    with pytest.raises(RequestError, match="another structure"):
        cohort.begin(a_phase(a_network("linear", 1)), {})


def test_targets_that_do_not_fit_the_output_are_refused(double):
    with pytest.raises(RequestError, match=r"1 target values.*3 outputs"):
        double.cohort(a_network("linear", 3), some_data("linear", 1), 1)


def test_entry_is_found_and_imports_no_torch():
    assert backend_entry("pytorch") is entry
    code = "import sys, manyseeds_pytorch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
