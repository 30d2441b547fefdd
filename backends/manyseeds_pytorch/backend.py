"""The opened PyTorch backend: it owns the device, the thread pool and the cache of task data."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from manyseeds.backend.settings import Settings
from manyseeds.backend.task_cache import TaskCache
from manyseeds.backend.values import Compilation, Environment, Splits
from manyseeds.techniques.network import Network
from manyseeds_pytorch import device
from manyseeds_pytorch.cohort import PyTorchCohort
from manyseeds_pytorch.device_data import device_splits


class PyTorchBackend:
    """PyTorch, opened with its settings.

    Parameters
    ----------
    settings
        Device, precision, threads and determinism; they apply to the whole process.
    """

    def __init__(self, settings: Settings) -> None:
        self._device = device.open_device(settings)
        self._tasks = TaskCache()
        self._pool = ThreadPoolExecutor(self._device.threads, "manyseeds-lanes")

    def describe(self) -> Environment:
        """Return the versions, the device and the switches this backend runs with."""
        return device.describe(self._device)

    def compiled(self) -> Compilation:
        """Return zero: PyTorch runs eagerly and compiles no programs."""
        return Compilation()

    def peak_memory(self) -> int:
        """Return the most device memory used so far, in bytes; 0 on a CPU."""
        return device.peak_memory(self._device)

    def cohort(self, network: Network, data: Splits, lanes: int) -> PyTorchCohort:
        """Return a cohort of `lanes` networks; its data stay on the device for later cohorts."""
        splits = self._tasks.once(
            data, network.loss, lambda: device_splits(network, data, self._device)
        )
        return PyTorchCohort(network, splits, lanes, self._device, self._pool)
