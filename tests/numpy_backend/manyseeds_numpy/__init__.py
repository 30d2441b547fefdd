"""manyseeds in plain NumPy, gradients by hand: the smallest backend that keeps the contract.

It is here to be read by people who write a backend, to be a fourth opinion in the parity tests,
and to fail on purpose in the fault tests (`faults.py`, which a backend of yours does not need).

Only the entry lives here; a framework would be imported when the backend is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from manyseeds.backend.protocols import Backend
from manyseeds.backend.settings import Device, Settings
from manyseeds.processes.surroundings import undisturbed
from manyseeds.suite.recipe import Recipe
from manyseeds_numpy import faults


class Entry:
    """What the entry point names: the backend, not yet opened."""

    name = "numpy"
    requires = ("numpy",)
    install = "pip install numpy"

    quick_compile_flags: Mapping[str, str] = MappingProxyType({})

    def unsupported(self, recipe: Recipe) -> str | None:
        """Return None: every recipe there can be is supported (unless a test wants otherwise)."""
        return faults.unsupported(recipe.name)

    def free_memory(self, device: Device) -> int | None:
        """Return None: NumPy computes on the CPU."""
        del device
        return None

    def open(self, settings: Settings) -> Backend:
        """Apply the settings; once per process."""
        faults.opening()
        with undisturbed(("NUMPY_BACKEND_*",)):  # yours: the variables of your framework
            from manyseeds_numpy.training import NumpyBackend

        return NumpyBackend(settings)


entry = Entry()
