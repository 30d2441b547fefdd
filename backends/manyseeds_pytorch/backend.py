"""The PyTorch backend: a device, and the threads and data that its cohorts share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from manyseeds.backend.settings import Settings
from manyseeds.backend.task_cache import TaskCache
from manyseeds.backend.values import Compilation, Environment, Splits
from manyseeds.techniques.network import Network
from manyseeds_pytorch import device
from manyseeds_pytorch.cohort import PyTorchCohort


class PyTorchBackend:
    """PyTorch, opened with its settings."""

    def __init__(self, settings: Settings) -> None:
        self._placement = device.place(settings)
        self._kept = TaskCache()
        self._pool = ThreadPoolExecutor(self._placement.threads, "manyseeds-lanes")

    def describe(self) -> Environment:
        """Say what this backend runs on."""
        return device.describe(self._placement)

    def compiled(self) -> Compilation:
        """Return nothing: PyTorch's operations are compiled already."""
        return Compilation()

    def peak_memory(self) -> int:
        """Return the most device memory used so far, in bytes; 0 on a CPU."""
        return device.peak_memory(self._placement)

    def cohort(self, network: Network, data: Splits, lanes: int) -> PyTorchCohort:
        """Return a cohort of so many lanes; its data stay on the device for the next."""
        tensors = self._kept.once(
            data, network.loss, lambda: device.on_device(network, data, self._placement)
        )
        return PyTorchCohort(network, tensors, lanes, self._placement, self._pool)
