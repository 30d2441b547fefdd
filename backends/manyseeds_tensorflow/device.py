"""The device TensorFlow computes on, and the switches that decide how it computes.

TensorFlow fixes its threads and visible devices when it is first used, so `open_device` sets
everything before that.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from manyseeds.backend.compiled_programs import append_flag, keep_compiled, unknown_flags
from manyseeds.backend.nvidia import nvidia_versions
from manyseeds.backend.processor import processor
from manyseeds.backend.settings import Settings
from manyseeds.backend.values import Environment
from manyseeds.errors import RequestError, RunError
from manyseeds.processes.host import cores
from manyseeds_tensorflow.device_programs import remove_damaged

_CACHE = "--tf_xla_persistent_cache_directory"

_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
"""Every thread has lanes of its own: the threads must not share one lane's products."""

KNOWN_UP_TO = (2, 21)
"""Every release up to this one knows `_ONE_THREAD` and `_CACHE`. TensorFlow ends its process at a
flag that it does not know, and it takes seconds to ask a release in a process of its own."""

COMPILES = """\
import tensorflow as tf
tf.function(lambda: tf.constant(1.0) + 1.0, jit_compile=True)()
"""
"""A program that compiles something with XLA."""


@dataclass(frozen=True)
class OpenDevice:
    """A device with its settings applied.

    Attributes
    ----------
    name
        TensorFlow's name for it: "/CPU:0" or "/GPU:0".
    dtype
        The precision of weights, activations and updates.
    settings
        The settings the backend was opened with.
    unknown_flags
        Flags of XLA that this release does not know, although numbers depend on them.
    """

    name: str
    dtype: np.dtype[np.floating[Any]]
    settings: Settings
    unknown_flags: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The platform: "cpu" or "cuda"."""
        return "cpu" if self.name == "/CPU:0" else "cuda"


def open_device(settings: Settings) -> OpenDevice:
    """Apply the settings, for the whole process, and return the device they name.

    Raises
    ------
    RequestError
        The settings name CUDA, and TensorFlow sees no usable GPU.
    RunError
        TensorFlow was used before in this process, with settings that can no longer change.
    """
    if keras.backend.backend() != "tensorflow":
        raise RunError(
            f"this process has already imported Keras with the backend "
            f"{keras.backend.backend()!r}. Set KERAS_BACKEND=tensorflow, or open this backend in a "
            "process of its own"
        )
    _keep_compiled_programs()
    name = _device_name(settings.device)
    _before_first_use(lambda: _set_threads(threads(settings)), "threads")
    unknown: tuple[str, ...] = ()
    if name == "/CPU:0":
        unknown = _unknown_flags("XLA_FLAGS", _ONE_THREAD)
        if not unknown:
            append_flag("XLA_FLAGS", _ONE_THREAD)
        # Otherwise TensorFlow would open any GPU there is, and take memory on it.
        _before_first_use(lambda: tf.config.set_visible_devices([], "GPU"), "visible devices")
    else:
        _before_first_use(_grow_memory, "memory")
    tf.config.experimental.enable_tensor_float_32_execution(settings.tf32)
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()
    return OpenDevice(name, np.dtype(settings.precision), settings, unknown)


def threads(settings: Settings) -> int:
    """Return the number of CPU threads: by default every core this process may use."""
    return settings.threads or cores()


def describe(device: OpenDevice) -> Environment:
    """Return the versions, the device and the switches, for the provenance."""
    return Environment(
        backend="tensorflow",
        versions=_versions(device),
        device=device.kind,
        device_name=_hardware_name(device),
        threads=tf.config.threading.get_intra_op_parallelism_threads(),
        switches={
            "precision": device.settings.precision,
            "deterministic": device.settings.deterministic,
            "op_determinism": "on" if device.settings.deterministic else "as TensorFlow has it",
            "tf32": tf.config.experimental.tensor_float_32_execution_enabled(),
            "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
            "jit_compile": True,
            "KERAS_BACKEND": keras.backend.backend(),
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
            "TF_XLA_FLAGS": "",  # the user's are left out; earlier ledgers name those they had
            "compiled_programs_kept": _CACHE in os.environ["TF_XLA_FLAGS"],
        },
        flags_left_out=device.unknown_flags,
    )


def peak_memory(device: OpenDevice) -> int:
    """Return the most device memory used so far, in bytes; 0 on a CPU."""
    if device.kind == "cpu":
        return 0
    return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])


def _unknown_flags(variable: str, *flags: str) -> tuple[str, ...]:
    """Return the flags that this release does not know; an old release knows them all."""
    release = tuple(int(part) for part in tf.__version__.split(".")[:2])
    if not flags or release <= KNOWN_UP_TO:
        return ()
    return unknown_flags(variable, flags, COMPILES)


def _keep_compiled_programs() -> None:
    """Let XLA keep compiled programs in a folder, for later processes.

    TensorFlow reads the folder's name once, when its devices are first listed.
    """
    folder = keep_compiled("tensorflow", tf.__version__, os.environ.get("XLA_FLAGS", ""))
    if folder:
        remove_damaged(folder)
    kept = folder and not _unknown_flags("TF_XLA_FLAGS", f"{_CACHE}=")
    os.environ["TF_XLA_FLAGS"] = f"{_CACHE}={_quoted(str(folder))}" if kept else ""


def _quoted(value: str) -> str:
    """Return a flag's value as TensorFlow reads it, which may have blanks in it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _device_name(kind: str) -> str:
    """Return TensorFlow's name for a requested device: "cpu", "cuda" or "auto"."""
    if kind == "cpu":
        return "/CPU:0"
    if tf.config.list_physical_devices("GPU"):
        return "/GPU:0"
    if kind == "cuda":
        raise RequestError(_no_cuda())
    return "/CPU:0"


def _no_cuda() -> str:
    """Return the message for a request of CUDA where there is none."""
    devices = ", ".join(device.name for device in tf.config.list_physical_devices())
    build = "" if tf.test.is_built_with_cuda() else ", and this build has no CUDA support"
    return (
        f"device 'cuda' is not available: TensorFlow {tf.__version__} sees only: {devices}{build}. "
        "Use device 'cpu' or 'auto', or install CUDA support with: "
        "pip install 'manyseeds[tensorflow-cuda]'"
    )


def _set_threads(count: int) -> None:
    """Set the threads within an operation and between operations."""
    threading = tf.config.threading
    if threading.get_intra_op_parallelism_threads() != count:
        threading.set_intra_op_parallelism_threads(count)
    if threading.get_inter_op_parallelism_threads() != count:
        threading.set_inter_op_parallelism_threads(count)


def _grow_memory() -> None:
    """Let TensorFlow take GPU memory as it is needed, not all of it at once."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def _before_first_use(apply: Callable[[], None], setting: str) -> None:
    """Apply a setting that TensorFlow refuses to change once it has been used."""
    try:
        apply()
    except RuntimeError as error:
        raise RunError(
            f"TensorFlow has already been used in this process, and its {setting} can no longer "
            "be changed. Open a backend with other settings in a process of its own"
        ) from error


def _versions(device: OpenDevice) -> dict[str, str]:
    """Return the versions of the packages, and on a GPU of CUDA's libraries."""
    versions = {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": version("numpy"),
    }
    if device.kind == "cpu":
        return versions
    build = tf.sysconfig.get_build_info()
    versions |= {f"built for {key}": build[key] for key in build if key.endswith("_version")}
    versions |= nvidia_versions("nvidia-cublas", "nvidia-cudnn", "nvidia-cuda-runtime")
    return versions


def _hardware_name(device: OpenDevice) -> str:
    """Return the vendor's name of the processor or GPU."""
    if device.kind == "cuda":
        gpu = tf.config.list_physical_devices("GPU")[0]
        return str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
    return processor()
