"""NVIDIA GPUs as the system sees them, before any framework is imported: versions, free memory."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.metadata import distributions
from pathlib import Path

from manyseeds.backend.settings import Device

_DRIVER = Path("/proc/driver/nvidia/version")


def nvidia_versions(*packages: str) -> dict[str, str]:
    """Return the version of NVIDIA's driver, and of the installed packages with these prefixes."""
    versions = {
        distribution.metadata["Name"]: distribution.version
        for distribution in distributions()
        if packages and (distribution.metadata["Name"] or "").startswith(packages)
    }
    text = _DRIVER.read_text(encoding="utf-8") if _DRIVER.exists() else ""
    if number := re.search(r"\d+\.\d+(\.\d+)?", text):
        versions["nvidia-driver"] = number.group()
    return versions


def free_memory(device: Device) -> int | None:
    """Return the bytes that are free on the first GPU, or None for the CPU and without a GPU.

    Read from `nvidia-smi`: a framework would take part of the memory for itself.
    """
    if device == "cpu" or not (tool := shutil.which("nvidia-smi")):
        return None
    query = [tool, "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    if answer.returncode or not answer.stdout.strip():
        return None
    return int(answer.stdout.split()[0]) * 2**20
