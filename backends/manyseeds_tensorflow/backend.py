"""The opened TensorFlow backend.

It owns everything that outlives a cohort: the device, the threads, the compiled programs, and the
data on the device.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from manyseeds.backend.settings import Settings
from manyseeds.backend.values import Compilation, Environment, Splits
from manyseeds.techniques.network import Network
from manyseeds_tensorflow import device as devices
from manyseeds_tensorflow.backend_data import DeviceData
from manyseeds_tensorflow.backend_programs import Programs
from manyseeds_tensorflow.cohort import CohortResources, TensorFlowCohort
from manyseeds_tensorflow.lanes import LaneWorkers


class TensorFlowBackend:
    """TensorFlow, opened with its settings; see `manyseeds.backend.protocols.Backend`."""

    def __init__(self, settings: Settings) -> None:
        device = devices.open_device(settings)
        threads = devices.threads(settings) if device.kind == "cpu" else 1
        pool = ThreadPoolExecutor(threads, "manyseeds-lanes")
        self.resources = CohortResources(
            device=device,
            workers=LaneWorkers(device.name, threads, pool),
            programs=Programs(device),
            data=DeviceData(device),
        )

    def describe(self) -> Environment:
        """Return the versions, the device and the switches this backend runs with."""
        return devices.describe(self.resources.device)

    def cohort(self, network: Network, data: Splits, lanes: int) -> TensorFlowCohort:
        """Return a cohort; it reuses the programs and data of earlier cohorts of its shape."""
        return TensorFlowCohort(self.resources, network, data, lanes)

    def compiled(self) -> Compilation:
        """Return how many programs this backend has compiled, and how long that took."""
        return self.resources.programs.compiled()

    def peak_memory(self) -> int:
        """Return the most device memory used so far, in bytes; 0 on a CPU."""
        return devices.peak_memory(self.resources.device)
