"""NVIDIA GPUs as the system sees them, before any framework is imported: versions, free memory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from xml.etree import ElementTree

from manyseeds.backend.settings import Device

_DRIVER = Path("/proc/driver/nvidia/version")

_MIB = re.compile(r"(\d+) MiB")

_ANSWER_SECONDS = 60.0
"""The time `nvidia-smi` has to answer; a driver in trouble never does."""


@dataclass(frozen=True)
class _Gpu:
    """A GPU.

    Attributes
    ----------
    product
        The name of its kind.
    devices
        The names by which CUDA_VISIBLE_DEVICES can choose it, and its free bytes, None if unknown;
        where the GPU is divided (MIG), those of each of its instances instead.
    """

    product: str
    devices: tuple[tuple[str, int | None], ...]


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
    """Return the bytes that are free on the GPU that programs use: the first they may see.

    None for the CPU, without a GPU that may be seen, and for a GPU that does not say, such as one
    that shares the system's memory. Read from `nvidia-smi`: a framework would take part of the
    memory for itself.
    """
    if device == "cpu":
        return None
    gpus = list(_gpus())
    numbered = os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" or len(_products(gpus)) == 1
    free = _of_first_visible(gpus, os.environ.get("CUDA_VISIBLE_DEVICES", "0"), numbered=numbered)
    known = [number for number in free if number is not None]
    return min(known, default=None)


def _products(gpus: Sequence[_Gpu]) -> set[str]:
    return {gpu.product for gpu in gpus}


def _of_first_visible(gpus: Sequence[_Gpu], visible: str, *, numbered: bool) -> list[int | None]:
    """Return the free bytes of the first device in a value of CUDA_VISIBLE_DEVICES.

    Of different GPUs CUDA gives the fastest number 0. Unless they are `numbered` like here, in the
    order of the bus, a number may mean any of them, and the bytes of all are returned.
    """
    first = visible.partition(",")[0].strip()
    if first.isdigit() and int(first) < len(gpus):
        chosen = gpus[int(first) : int(first) + 1] if numbered else gpus
        return [gpu.devices[0][1] for gpu in chosen if gpu.devices]
    devices = [device for gpu in gpus for device in gpu.devices]
    return [free for name, free in devices if first and name.startswith(first)]


def _gpus() -> Iterator[_Gpu]:
    """Yield the GPUs in the order of `nvidia-smi`, which is that of the bus."""
    try:
        log = ElementTree.fromstring(_answer("-q", "-x"))
    except ElementTree.ParseError:
        return
    instances = _instance_names() if log.find("gpu/mig_devices/mig_device") is not None else {}
    for gpu in log.iter("gpu"):
        name = gpu.findtext("uuid", "").strip()
        if gpu.findtext("mig_mode/current_mig", "").strip() == "Enabled":
            parts = gpu.findall("mig_devices/mig_device")
            names = [*instances.get(name, ()), *[""] * len(parts)]
            devices = tuple(zip(names, map(_free, parts), strict=False))
        else:
            devices = ((name, _free(gpu)),)
        yield _Gpu(gpu.findtext("product_name", "").strip(), devices)


def _free(device: ElementTree.Element) -> int | None:
    """Return the free bytes of a GPU or an instance; None if it is "N/A" or not supported."""
    amount = _MIB.search(device.findtext("fb_memory_usage/free", ""))
    return int(amount.group(1)) * 2**20 if amount else None


def _instance_names() -> dict[str, list[str]]:
    """Return the names of the instances of each GPU, in order, by the GPU's name."""
    names: dict[str, list[str]] = {}
    for name in re.findall(r"UUID: ([^)\s]+)", _answer("-L")):
        if name.startswith("MIG-"):
            names[list(names)[-1]].append(name)
        else:
            names[name] = []
    return names


def _answer(*arguments: str) -> str:
    """Return the output of `nvidia-smi`; "" if there is none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    try:
        answer = subprocess.run(
            [tool, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
            timeout=_ANSWER_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout
