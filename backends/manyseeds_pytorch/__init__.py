"""manyseeds in PyTorch: stacked weights, eager batched products, deterministic by default.

Only the entry lives here; PyTorch is imported when the backend is opened.
"""

from __future__ import annotations

import os

from manyseeds.backend import nvidia
from manyseeds.backend.protocols import Backend
from manyseeds.backend.settings import Device, Settings
from manyseeds.suite.recipe import Recipe


class Entry:
    """What the entry point names: PyTorch, not yet imported."""

    name = "pytorch"
    requires = ("torch", "numba")
    install = "pip install 'manyseeds[pytorch]'"

    def unsupported(self, recipe: Recipe) -> str | None:
        """Return None: every recipe there can be is supported."""
        return None

    def free_memory(self, device: Device) -> int | None:
        """Return the bytes that are free on the GPU; None for a CPU."""
        return nvidia.free_memory(device)

    def open(self, settings: Settings) -> Backend:
        """Import PyTorch and apply the settings; once per process."""
        if settings.deterministic:
            # cuBLAS reads it when it starts, and repeats itself only with a workspace of its own.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        from manyseeds_pytorch.backend import PyTorchBackend

        return PyTorchBackend(settings)


entry = Entry()
