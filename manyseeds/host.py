"""The machine below the frameworks: its cores, processor and driver, and XLA's environment."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import distributions
from pathlib import Path

_CPU_INFORMATION = Path("/proc/cpuinfo")
_DRIVER = Path("/proc/driver/nvidia/version")


def cores() -> int:
    """Return the cores this process may use, where the system says; else those there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """Return the processor's name as its vendor gives it."""
    text = _CPU_INFORMATION.read_text(encoding="utf-8") if _CPU_INFORMATION.exists() else ""
    named = re.search(r"model name\s*:\s*(.+)", text)
    return named.group(1) if named else platform.processor() or platform.machine()


def nvidia_versions(*packages: str) -> dict[str, str]:
    """Return the version of NVIDIA's driver, and of the installed packages with these prefixes."""
    found = {
        distribution.metadata["Name"]: distribution.version
        for distribution in distributions()
        if packages and (distribution.metadata["Name"] or "").startswith(packages)
    }
    text = _DRIVER.read_text(encoding="utf-8") if _DRIVER.exists() else ""
    if number := re.search(r"\d+\.\d+(\.\d+)?", text):
        found["nvidia-driver"] = number.group()
    return found


def add_xla_flag(flag: str) -> None:
    """Append a flag to XLA_FLAGS, after the user's own, so that it wins; XLA reads it when used."""
    flags = os.environ.get("XLA_FLAGS", "").split()
    os.environ["XLA_FLAGS"] = " ".join([*(other for other in flags if other != flag), flag])
