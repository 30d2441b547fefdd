"""The settings of a backend: device, precision, switches, threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Device = Literal["cpu", "cuda", "auto"]
Precision = Literal["float32", "float64"]


@dataclass(frozen=True)
class Settings:
    """The settings a backend is opened with; they are recorded with every result.

    Attributes
    ----------
    device
        "auto" means CUDA if the framework sees a GPU, else the CPU. "cuda" without a GPU is an
        error.
    precision
        The precision of weights, activations and updates.
    deterministic
        Use only algorithms that repeat bit for bit.
    tf32
        Let an NVIDIA GPU round float32 products to TF32.
    threads
        Number of CPU threads; None means one per core.
    """

    device: Device = "cpu"
    precision: Precision = "float32"
    deterministic: bool = True
    tf32: bool = False
    threads: int | None = None
