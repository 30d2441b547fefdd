"""The opened JAX backend: one device, with the programs and the data that its cohorts share."""

from __future__ import annotations

from manyseeds.backend.settings import Settings
from manyseeds.backend.values import Compilation, Environment, Splits
from manyseeds.techniques.network import Network
from manyseeds_jax import device as devices
from manyseeds_jax.backend_data import DeviceData
from manyseeds_jax.backend_programs import Programs
from manyseeds_jax.cohort import JaxCohort


class JaxBackend:
    """JAX, opened with its settings; see `manyseeds.backend.protocols.Backend`.

    Attributes
    ----------
    device
        The open device.
    programs
        Every program compiled so far.
    data
        The splits of the latest tasks, on the device.
    """

    def __init__(self, settings: Settings) -> None:
        self.device = devices.open_device(settings)
        self.programs = Programs()
        self.data = DeviceData(self.device.dtype)

    def describe(self) -> Environment:
        """Return the versions, the device and the switches this backend runs with."""
        return devices.describe(self.device)

    def cohort(self, network: Network, data: Splits, lanes: int) -> JaxCohort:
        """Return a cohort; it reuses the programs and data of earlier cohorts of its shape."""
        return JaxCohort(self.device, self.programs, self.data, network, data, lanes)

    def compiled(self) -> Compilation:
        """Return how many programs this backend has compiled, and how long that took."""
        return self.programs.compilation

    def peak_memory(self) -> int:
        """Return the most device memory used so far, in bytes; 0 on a CPU."""
        return devices.peak_memory(self.device)
