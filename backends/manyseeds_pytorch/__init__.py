"""The PyTorch backend: stacked weights, eager batched products, deterministic by default.

Importing this package imports no framework; `entry.open` does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType

from manyseeds.backend import nvidia
from manyseeds.backend.protocols import Backend
from manyseeds.backend.settings import Device, Settings
from manyseeds.processes.surroundings import undisturbed
from manyseeds.suite.recipe import Recipe

_IGNORED = (
    "TORCH_*",
    "TORCHDYNAMO_*",
    "TORCHINDUCTOR_*",
    "PYTORCH_*",
    "ATEN_*",
    "NUMBA_*",
    "ONEDNN_*",
    "DNNL_*",
    "MKL_*",
    "CUBLAS_*",
    "CUBLASLT_*",
    "CUDNN_*",
    "NVIDIA_TF32_OVERRIDE",
)
"""Environment variables that change what PyTorch and Numba compute."""

_KEPT = (
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_NVML_BASED_CUDA_CHECK",
    "TORCH_HOME",
)


class Entry:
    """The PyTorch backend before it is opened; see `manyseeds.backend.protocols.BackendEntry`."""

    name = "pytorch"
    requires = ("torch", "numba")
    install = "pip install 'manyseeds[pytorch]'"

    quick_compile_flags: Mapping[str, str] = MappingProxyType({})

    def unsupported(self, recipe: Recipe) -> str | None:
        """Return None: this backend can train every recipe."""
        return None

    def free_memory(self, device: Device) -> int | None:
        """Return the bytes that are free on the GPU; None for a CPU."""
        return nvidia.free_memory(device)

    def open(self, settings: Settings) -> Backend:
        """Import PyTorch, apply the settings and return the backend; once per process."""
        with undisturbed(_IGNORED, but=_KEPT):
            if settings.deterministic:
                # cuBLAS reads this when it starts, and is deterministic only with a workspace of
                # its own.
                os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
            from manyseeds_pytorch.backend import PyTorchBackend

            return PyTorchBackend(settings)  # Numba reads its settings as it compiles, too


entry = Entry()
