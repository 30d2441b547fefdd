"""The device JAX computes on, and the switches that decide how it computes.

XLA reads its environment when it is first used, not when JAX is imported: `open_device` sets
everything before that.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import jax
import numpy as np

from manyseeds.backend.compiled_programs import keep_compiled
from manyseeds.backend.nvidia import nvidia_versions
from manyseeds.backend.processor import processor
from manyseeds.backend.settings import Settings
from manyseeds.backend.values import Environment
from manyseeds.errors import RequestError
from manyseeds.processes.host import cores

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")
"""Packages whose versions are recorded."""


@dataclass(frozen=True)
class OpenDevice:
    """A device with its settings applied.

    Attributes
    ----------
    jax_devices
        One GPU, or one JAX device for every thread of the CPU.
    dtype
        The precision of weights, activations and updates.
    settings
        The settings the backend was opened with.
    compiler_options
        XLA's options for every program; those of `_compiler_options` that this release knows.
    unknown_options
        Those that it does not know, as flags.
    """

    jax_devices: tuple[jax.Device, ...]
    dtype: np.dtype[np.floating]
    settings: Settings
    compiler_options: Mapping[str, bool]
    unknown_options: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The platform: "cpu" or "cuda"."""
        return "cpu" if self.jax_devices[0].platform == "cpu" else "cuda"


def open_device(settings: Settings) -> OpenDevice:
    """Apply the settings, for the whole process, and return the device they name.

    Raises
    ------
    RequestError
        The settings name CUDA, and JAX sees no usable GPU.
    """
    _set_environment(settings)
    if settings.precision == "float64":
        jax.config.update("jax_enable_x64", True)
    if settings.device == "cpu":
        # Otherwise JAX would open a GPU if the machine has one, and take memory on it.
        jax.config.update("jax_platforms", "cpu")
    _split_cpu(threads(settings))
    _keep_programs()
    devices = _jax_devices(settings.device, threads(settings))
    if devices[0].platform != "cpu":
        # By default XLA rounds float32 products to TF32 on GPUs that support it.
        precision = "tensorfloat32" if settings.tf32 else "highest"
        jax.config.update("jax_default_matmul_precision", precision)
    wanted = _compiler_options(devices[0].platform, settings)
    known = known_options(wanted)
    return OpenDevice(
        devices,
        np.dtype(settings.precision),
        settings,
        known,
        tuple(_flag(name, value) for name, value in wanted.items() if name not in known),
    )


def threads(settings: Settings) -> int:
    """Return the number of CPU threads: by default every core this process may use."""
    return settings.threads or cores()


def describe(device: OpenDevice) -> Environment:
    """Return the versions, the device and the switches, for the provenance."""
    return Environment(
        backend="jax",
        versions=_versions(device),
        device=device.kind,
        device_name=_device_name(device),
        threads=len(device.jax_devices) if device.kind == "cpu" else threads(device.settings),
        switches={
            "precision": device.settings.precision,
            "deterministic": device.settings.deterministic,
            "tf32": device.settings.tf32,
            "jax_enable_x64": bool(jax.config.values["jax_enable_x64"]),
            "jax_default_matmul_precision": str(jax.config.values["jax_default_matmul_precision"]),
            "jax_platforms": str(jax.config.values["jax_platforms"]),
            "jax_num_cpu_devices": int(jax.config.values["jax_num_cpu_devices"]),
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
            "XLA_PYTHON_CLIENT_PREALLOCATE": os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"],
            "compiler_options": " ".join(
                _flag(name, value) for name, value in device.compiler_options.items()
            ),
            "compiled_programs_kept": jax.config.values["jax_compilation_cache_dir"] is not None,
        },
        flags_left_out=device.unknown_options,
    )


def peak_memory(device: OpenDevice) -> int:
    """Return the most device memory used so far, in bytes; 0 on a CPU."""
    statistics = device.jax_devices[0].memory_stats() or {}
    return int(statistics.get("peak_bytes_in_use", 0)) if device.kind == "cuda" else 0


def _set_environment(settings: Settings) -> None:
    """Set the environment variables that XLA reads when it is first used."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ["NPROC"] = str(threads(settings))  # the size of XLA's CPU thread pool


def _compiler_options(platform: str, settings: Settings) -> dict[str, bool]:
    """Return the options of XLA that numbers depend on.

    They are options of each program rather than flags in `XLA_FLAGS`: an unknown flag there would
    end the process.
    """
    if platform == "cpu":
        # Every thread is busy with its own lanes and must not help with another's matrix products.
        return {"xla_cpu_multi_thread_eigen": False}
    return {"xla_gpu_deterministic_ops": True} if settings.deterministic else {}


def known_options(options: Mapping[str, bool]) -> dict[str, bool]:
    """Return those of XLA's options that this release knows."""
    return {name: value for name, value in options.items() if _is_known(name, value)}


def _is_known(option: str, value: bool) -> bool:
    try:
        jax.jit(lambda: 0.0).lower().compile({option: value})
    except Exception as error:
        if "No such compile option" in str(error):
            return False
        raise
    return True


def _flag(option: str, value: bool) -> str:
    return f"--{option}={str(value).lower()}"


def _split_cpu(threads: int) -> None:
    """Make every thread of the CPU a JAX device of its own.

    JAX refuses this after its first use; the CPU then stays divided as it was.
    """
    if jax.config.values["jax_num_cpu_devices"] != threads:
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", threads)


def _keep_programs() -> None:
    """Store compiled programs of any size on disk, for later processes."""
    folder = keep_compiled("jax", version("jaxlib"), os.environ.get("XLA_FLAGS", ""))
    jax.config.update("jax_compilation_cache_dir", str(folder) if folder else None)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def _jax_devices(name: str, threads: int) -> tuple[jax.Device, ...]:
    """Return the first GPU, or the CPU's threads as devices, for a device named in the settings."""
    if name != "cpu":
        try:
            return (jax.devices("cuda")[0],)
        except RuntimeError as error:
            if name == "cuda":
                raise RequestError(_no_cuda()) from error
    return tuple(jax.devices("cpu")[:threads])


def _no_cuda() -> str:
    platforms = ", ".join(sorted({device.platform for device in jax.devices()}))
    limit = os.environ.get("JAX_PLATFORMS")
    limited = f" (limited by JAX_PLATFORMS={limit})" if limit else ""
    return (
        f"device 'cuda' is not available: JAX {version('jax')} sees only: {platforms}{limited}. "
        "Use device 'cpu' or 'auto', or install CUDA support with: "
        "pip install 'manyseeds[jax-cuda]'"
    )


def _versions(device: OpenDevice) -> dict[str, str]:
    versions = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    if device.kind == "cpu":
        return versions
    versions["platform"] = " ".join(device.jax_devices[0].client.platform_version.split())
    versions |= nvidia_versions("jax-cuda", "nvidia-cublas", "nvidia-cudnn", "nvidia-cuda-runtime")
    return versions


def _device_name(device: OpenDevice) -> str:
    if device.kind == "cuda":
        return str(device.jax_devices[0].device_kind)
    return processor()
