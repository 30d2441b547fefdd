"""Where PyTorch runs: device, precision, threads, data, and the switches that make it repeat."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise

import torch
from torch import Tensor

from manyseeds.backend.nvidia import nvidia_versions
from manyseeds.backend.processor import processor
from manyseeds.backend.settings import Settings
from manyseeds.backend.values import Environment, Split, Splits
from manyseeds.errors import RequestError
from manyseeds.processes.host import cores
from manyseeds.techniques.network import Network

_LEAST_LANES = 4
"""Lanes that keep a thread busy for longer than Python needs to tell it what to do."""

_TILE_BYTES = 2 << 20
"""Of a CPU's memory that stays in the cache from one operation to the next, with its gradient and
what an optimizer keeps."""

PRECISIONS = {"float32": torch.float32, "float64": torch.float64}

DeviceSplits = dict[str, tuple[Tensor, Tensor]]
"""Inputs [n, features] and labels [n, ...] of every split, by its name."""


@dataclass(frozen=True)
class Placement:
    """A device and the floating-point type of everything on it.

    Attributes
    ----------
    device, dtype
        As PyTorch names them.
    threads
        CPU threads.
    elements
        Most elements of one activation in evaluation, which is cut into pieces of that size:
        16 MB of float32 on a CPU, so that memory is reused rather than mapped anew; 1 GB on a GPU.
    """

    device: torch.device
    dtype: torch.dtype
    threads: int

    @property
    def cuda(self) -> bool:
        """Whether the device is an NVIDIA GPU."""
        return self.device.type == "cuda"

    @property
    def elements(self) -> int:
        """Most elements of one activation in evaluation."""
        return 1 << 28 if self.cuda else 1 << 22

    def shards(self, lanes: int) -> list[slice]:
        """Deal lanes out to the CPU's threads, an equal share each; a GPU takes them all.

        A thread with lanes of its own never waits for another at the end of an operation. Few
        lanes are not worth a thread of their own: all threads then share every operation.
        """
        count = 1 if self.cuda else max(1, min(self.threads, lanes // _LEAST_LANES))
        bounds = [lanes * shard // count for shard in range(count + 1)]
        return [slice(*pair) for pair in pairwise(bounds)]


def tiles(values: Sequence[Tensor]) -> list[slice]:
    """Return lanes of tensors [lanes, ...] so that a CPU works on few bytes of them at a time.

    A GPU takes all lanes at once.
    """
    lanes = len(values[0])
    if values[0].device.type != "cpu":
        return [slice(0, lanes)]
    lane_bytes = sum(value[0].numel() * value.element_size() for value in values)
    size = max(1, _TILE_BYTES // lane_bytes)
    return [slice(first, min(first + size, lanes)) for first in range(0, lanes, size)]


def place(settings: Settings) -> Placement:
    """Apply the settings to PyTorch, for the whole process, and return where things go."""
    device = _resolve(settings.device)
    threads = settings.threads or cores()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(settings.deterministic)
    # Filling what is about to be overwritten costs a pass over memory and decides no result.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = settings.deterministic
    torch.backends.cudnn.allow_tf32 = settings.tf32
    torch.set_float32_matmul_precision("high" if settings.tf32 else "highest")
    torch.set_flush_denormal(False)
    return Placement(device, PRECISIONS[settings.precision], threads)


def describe(placement: Placement) -> Environment:
    """Return the versions, the device, the threads and the switches as they are set."""
    cuda = placement.cuda
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
        device=placement.device.type,
        device_name=torch.cuda.get_device_name() if cuda else processor(),
        threads=placement.threads,
        switches={
            "precision": str(placement.dtype).removeprefix("torch."),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
            "tf32": torch.backends.cuda.matmul.allow_tf32,
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "cudnn_tf32": torch.backends.cudnn.allow_tf32,
            "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG", ""),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        },
    )


def peak_memory(placement: Placement) -> int:
    """Return the most device memory used so far, in bytes; 0 on a CPU."""
    return int(torch.cuda.max_memory_allocated()) if placement.cuda else 0


def on_device(network: Network, data: Splits, placement: Placement) -> DeviceSplits:
    """Return a task's splits as tensors, their labels as the network's loss wants them."""
    splits = {"train": data.train, "valid": data.valid, "test": data.test}
    return {name: _tensors(split, network, placement) for name, split in splits.items()}


def _tensors(split: Split, network: Network, where: Placement) -> tuple[Tensor, Tensor]:
    inputs = torch.tensor(split.inputs, dtype=where.dtype, device=where.device)
    labels = torch.tensor(split.labels)
    if network.loss == "sparse_cross_entropy":
        return inputs, labels.to(where.device, torch.int64)
    targets = labels.view(len(labels), -1)
    if targets.shape[1] != network.output.units:
        raise RequestError(
            f"network {network.name!r} has {network.output.units} outputs, and the data have "
            f"{targets.shape[1]} targets for each example."
        )
    return inputs, targets.to(where.device, where.dtype)


def _resolve(wanted: str) -> torch.device:
    found = torch.cuda.is_available()
    if wanted == "cuda" and not found:
        build = torch.version.cuda
        reason = (
            f"PyTorch {torch.__version__} is built for CUDA {build} and finds no usable GPU: look "
            "at nvidia-smi and the driver's version"
            if build
            else f"PyTorch {torch.__version__} is built without CUDA: install a build with it from "
            "https://pytorch.org/get-started/locally/"
        )
        raise RequestError(
            f"device 'cuda' was asked for, and there is none. {reason}; or ask for "
            "device 'cpu' or 'auto'."
        )
    return torch.device("cuda" if found and wanted != "cpu" else "cpu")
