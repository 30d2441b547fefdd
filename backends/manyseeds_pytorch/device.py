"""The device PyTorch runs on: precision, threads, versions, and the switches for determinism."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version

import torch

from manyseeds.backend.compiled_programs import keep_compiled
from manyseeds.backend.nvidia import nvidia_versions
from manyseeds.backend.processor import processor
from manyseeds.backend.settings import Settings
from manyseeds.backend.values import Environment
from manyseeds.errors import RequestError
from manyseeds.processes.host import cores
from manyseeds_pytorch.device_native import NativeLoops, compile_loops

PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class OpenDevice:
    """A device with its settings applied.

    Attributes
    ----------
    torch_device, dtype
        The device and the floating-point type of everything on it, as PyTorch names them.
    threads
        Number of CPU threads.
    loops
        Loops compiled for the CPU.
    """

    torch_device: torch.device
    dtype: torch.dtype
    threads: int
    loops: NativeLoops

    @property
    def cuda(self) -> bool:
        """Whether the device is an NVIDIA GPU."""
        return self.torch_device.type == "cuda"

    @property
    def activation_elements(self) -> int:
        """Most elements of one activation when the lanes are scored.

        That is 16 MB of float32 on a CPU, so that memory is reused rather than mapped anew, and
        1 GB on a GPU.
        """
        return 1 << 28 if self.cuda else 1 << 22


def open_device(settings: Settings) -> OpenDevice:
    """Apply the settings, for the whole process, and return the device they name.

    Raises
    ------
    RequestError
        The settings name CUDA, and PyTorch sees no usable GPU.
    """
    torch_device = _torch_device(settings.device)
    torch.set_num_threads(threads(settings))
    torch.use_deterministic_algorithms(settings.deterministic)
    # Filling memory that is about to be overwritten costs a pass over it and changes no result.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = settings.deterministic
    torch.backends.cudnn.allow_tf32 = settings.tf32
    torch.set_float32_matmul_precision("high" if settings.tf32 else "highest")
    torch.set_flush_denormal(False)
    loops = compile_loops(keep_compiled("numba", version("numba")))
    return OpenDevice(torch_device, PRECISIONS[settings.precision], threads(settings), loops)


def threads(settings: Settings) -> int:
    """Return the number of CPU threads: by default every core this process may use."""
    return settings.threads or cores()


def describe(device: OpenDevice) -> Environment:
    """Return the versions, the device and the switches, for the provenance."""
    cuda = device.cuda
    versions = {name: version(name) for name in ("torch", "numba", "numpy")}
    if cuda:
        versions |= {
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),
            **nvidia_versions(),
        }
    return Environment(
        backend="pytorch",
        versions=versions,
        device=device.torch_device.type,
        device_name=torch.cuda.get_device_name() if cuda else processor(),
        threads=device.threads,
        switches={
            "precision": str(device.dtype).removeprefix("torch."),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
            "tf32": torch.backends.cuda.matmul.allow_tf32,
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "cudnn_tf32": torch.backends.cudnn.allow_tf32,
            "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG", ""),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        },
    )


def peak_memory(device: OpenDevice) -> int:
    """Return the most device memory used so far, in bytes; 0 on a CPU."""
    return int(torch.cuda.max_memory_allocated()) if device.cuda else 0


def _torch_device(name: str) -> torch.device:
    """Return the device that the settings name: "cpu", "cuda" or "auto"."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        build = torch.version.cuda
        reason = (
            f"PyTorch {torch.__version__} is built for CUDA {build} but finds no usable GPU. Check "
            "nvidia-smi and the driver's version"
            if build
            else f"PyTorch {torch.__version__} is built without CUDA. Install a build with CUDA "
            "from https://pytorch.org/get-started/locally/"
        )
        raise RequestError(
            f"device 'cuda' is not available: {reason}, or choose device 'cpu' or 'auto'."
        )
    return torch.device("cuda" if available and name != "cpu" else "cpu")
