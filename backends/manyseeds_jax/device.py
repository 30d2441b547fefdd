"""The device JAX computes on, and the switches that decide how it computes.

XLA reads its environment when it is first used, not when JAX is imported: `open_device` sets
everything before that.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from manyseeds.backend.compiled_programs import append_flag, keep_compiled
from manyseeds.backend.lane_shares import lane_shares
from manyseeds.backend.nvidia import nvidia_versions
from manyseeds.backend.processor import processor
from manyseeds.backend.settings import Settings
from manyseeds.backend.values import Environment
from manyseeds.errors import RequestError
from manyseeds.processes.host import cores

Tree = Any
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")
ALIGNMENT = 64
"""Bytes."""


@dataclass(frozen=True)
class OpenDevice:
    """A device with its settings applied.

    Attributes
    ----------
    jax_devices
        One GPU; or one JAX device for every thread of the CPU.
    dtype
        Of weights, activations and updates.
    settings
        As asked for.
    """

    jax_devices: tuple[jax.Device, ...]
    dtype: np.dtype[np.floating]
    settings: Settings

    @property
    def kind(self) -> str:
        """The platform: "cpu" or "cuda"."""
        return "cpu" if self.jax_devices[0].platform == "cpu" else "cuda"


def open_device(settings: Settings) -> OpenDevice:
    """Apply the settings and return the device they ask for.

    Raises
    ------
    RequestError
        CUDA is asked for and JAX sees none.
    """
    _set_environment(settings)
    if settings.precision == "float64":
        jax.config.update("jax_enable_x64", True)
    if settings.device == "cpu":
        # Else JAX would open a GPU that happens to be there, and take memory on it.
        jax.config.update("jax_platforms", "cpu")
    _split_cpu(threads(settings))
    _keep_programs()
    found = _find(settings.device, threads(settings))
    if found[0].platform != "cpu":
        # XLA's own default rounds float32 products to TF32 on GPUs that can.
        precision = "tensorfloat32" if settings.tf32 else "highest"
        jax.config.update("jax_default_matmul_precision", precision)
    return OpenDevice(found, np.dtype(settings.precision), settings)


def threads(settings: Settings) -> int:
    """Return the CPU threads asked for; all cores this process may use unless said."""
    return settings.threads or cores()


class Lanes:
    """Where the lanes of a cohort are: on one GPU, or dealt out to the threads of the CPU.

    On a CPU every thread is a JAX device that takes its lanes one after the other, through a
    whole epoch each: their weights stay in its cache. On a GPU all lanes go side by side.

    Parameters
    ----------
    device
        The open device.
    lanes
        How many; copies of the last one fill up the threads.
    """

    def __init__(self, device: OpenDevice, lanes: int) -> None:
        self._cpu = device.kind == "cpu"
        shares = lane_shares(lanes, len(device.jax_devices))
        self.mesh = Mesh(np.array(device.jax_devices[: len(shares)]), ("lanes",))
        self._each = PartitionSpec("lanes")
        self._all = PartitionSpec()
        self._source = shares.ravel()
        self._lanes = lanes

    @property
    def at_once(self) -> int:
        """How many lanes a device has in hand at a time."""
        return 1 if self._cpu else self._lanes

    def put(self, tree: Tree) -> Tree:
        """Put arrays [lanes, ...] from the host on the device, as copies of their own."""
        filled = jax.tree.map(lambda leaf: np.asarray(leaf)[self._source], tree)
        return jax.device_put(filled, NamedSharding(self.mesh, self._each))

    def share(self, tree: Tree) -> Tree:
        """Put arrays that all lanes read on the device, as copies of their own."""
        return jax.device_put(jax.tree.map(_aligned, tree), NamedSharding(self.mesh, self._all))

    def get(self, tree: Tree) -> Tree:
        """Return copies of arrays [lanes, ...] on the host."""
        return jax.tree.map(lambda leaf: np.array(leaf)[: self._lanes], tree)

    def compile(
        self, function: Callable[..., Tree], arguments: tuple[Tree, ...], *, one_by_one: bool
    ) -> Any:
        """Compile one lane's function of (moving, fixed, shared) for all lanes.

        A thread takes one lane after the other in any case, a GPU where it is asked to.
        """

        def local(moving: Tree, fixed: Tree, shared: Tree) -> Tree:
            if self._cpu or one_by_one:
                return jax.lax.map(lambda lane: function(*lane, shared), (moving, fixed))
            return jax.vmap(function, in_axes=(0, 0, None))(moving, fixed, shared)

        spread = jax.shard_map(
            local,
            mesh=self.mesh,
            in_specs=(self._each, self._each, self._all),
            out_specs=self._each,
            check_vma=False,
        )
        # The threads are busy with lanes of their own; they must not share one lane's products.
        options: dict[str, str | bool] = {"xla_cpu_multi_thread_eigen": False}
        lowered = jax.jit(spread, donate_argnums=0).lower(*arguments)
        return lowered.compile(options if self._cpu else None)


def _aligned(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a copy aligned as XLA wants it: the CPU's threads then share it as it is."""
    buffer = np.empty(values.nbytes + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    copy = buffer[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy


def describe(device: OpenDevice) -> Environment:
    """Say what runs where, for the provenance."""
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
            "compiled_programs_kept": jax.config.values["jax_compilation_cache_dir"] is not None,
        },
    )


def peak_memory(device: OpenDevice) -> int:
    """Return the most device memory used so far, in bytes; 0 on a CPU."""
    stats = device.jax_devices[0].memory_stats() or {}
    return int(stats.get("peak_bytes_in_use", 0)) if device.kind == "cuda" else 0


def _set_environment(settings: Settings) -> None:
    """Set what XLA reads from the environment when it is first used."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ["NPROC"] = str(threads(settings))  # the size of XLA's CPU thread pool
    if settings.deterministic and settings.device != "cpu":
        append_flag("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")


def _split_cpu(wanted: int) -> None:
    """Make every thread of the CPU a device of its own, which takes its own lanes.

    JAX refuses this once it has been used: then the CPU stays as it was split before.
    """
    if jax.config.values["jax_num_cpu_devices"] != wanted:
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", wanted)


def _keep_programs() -> None:
    """Let compiled programs outlive the process, however small they are."""
    folder = keep_compiled("jax", version("jaxlib"), os.environ.get("XLA_FLAGS", ""))
    jax.config.update("jax_compilation_cache_dir", str(folder) if folder else None)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def _find(wanted: str, threads: int) -> tuple[jax.Device, ...]:
    """Return the devices of the platform wanted: the first GPU, or the threads of the CPU."""
    if wanted != "cpu":
        try:
            return (jax.devices("cuda")[0],)
        except RuntimeError as error:
            if wanted == "cuda":
                raise RequestError(_no_cuda()) from error
    return tuple(jax.devices("cpu")[:threads])


def _no_cuda() -> str:
    found = ", ".join(sorted({device.platform for device in jax.devices()}))
    limit = os.environ.get("JAX_PLATFORMS")
    limited = f" (JAX_PLATFORMS={limit} limits it)" if limit else ""
    return (
        f"device 'cuda' was asked for, but JAX {version('jax')} sees only: {found}{limited}. "
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
