"""The processor's name, for provenance and for compiled programs, which are machine code."""

from __future__ import annotations

import platform
import re
from pathlib import Path

_CPU_INFORMATION = Path("/proc/cpuinfo")


def processor() -> str:
    """Return the processor's name as its vendor gives it."""
    text = _CPU_INFORMATION.read_text(encoding="utf-8") if _CPU_INFORMATION.exists() else ""
    named = re.search(r"model name\s*:\s*(.+)", text)
    return named.group(1) if named else platform.processor() or platform.machine()
