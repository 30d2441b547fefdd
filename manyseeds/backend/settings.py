"""How a backend is opened: device, precision, switches. Recorded with every result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Device = Literal["cpu", "cuda", "auto"]
Precision = Literal["float32", "float64"]


@dataclass(frozen=True)
class Settings:
    """How a backend is opened; recorded with every result.

    Attributes
    ----------
    device
        "auto" is CUDA where the framework sees one, else the CPU. "cuda" without one is an error.
    precision
        Of weights, activations and updates.
    deterministic
        Only algorithms that repeat bit for bit.
    tf32
        Let an NVIDIA GPU round float32 products to TF32.
    threads
        CPU threads; None: as many as there are cores.
    """

    device: Device = "cpu"
    precision: Precision = "float32"
    deterministic: bool = True
    tf32: bool = False
    threads: int | None = None
