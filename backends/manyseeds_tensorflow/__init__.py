"""The TensorFlow backend: Keras layers over stacked lanes, compiled by XLA.

Importing this package imports no framework; `entry.open` does.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping

from manyseeds.backend import compiled_programs, nvidia
from manyseeds.backend.protocols import Backend
from manyseeds.backend.settings import Device, Settings
from manyseeds.processes.surroundings import keep_flags, undisturbed
from manyseeds.suite.recipe import Recipe

_IGNORED = (
    "TF_AUTO_*",
    "TF_CUDNN_*",
    "TF_DETERMINISTIC_*",
    "TF_DISABLE_*",
    "TF_ENABLE_*",
    "TF_FORCE_UNIFIED_MEMORY",
    "TF_MKL_*",
    "TF_NUM_*",
    "TF_ONEDNN_*",
    "TF_OVERRIDE_*",
    "TF_USE_*",
    "TF_XLA_*",
    "TF2_BEHAVIOR",
    "KERAS_*",
    "ONEDNN_*",
    "DNNL_*",
    "MKL_*",
    "NVIDIA_TF32_OVERRIDE",
)
"""Environment variables that change what TensorFlow and Keras compute. Not all that begin with
`TF_`: that is how Terraform's begin, too."""

_KEPT = ("MKL_NUM_THREADS",)


class Entry:
    """The TensorFlow backend before it is opened; see `backend.protocols.BackendEntry`."""

    name = "tensorflow"
    requires: tuple[str, ...] = ("tensorflow", "keras")
    install = "pip install 'manyseeds[tensorflow]'"

    quick_compile_flags: Mapping[str, str] = compiled_programs.XLA_QUICK_COMPILE_FLAGS

    def unsupported(self, recipe: Recipe) -> str | None:
        """Return None: this backend can train every recipe."""
        del recipe
        return None

    def free_memory(self, device: Device) -> int | None:
        """Return the bytes that are free on the GPU; None for a CPU."""
        return nvidia.free_memory(device)

    def open(self, settings: Settings) -> Backend:
        """Import TensorFlow, apply the settings and return the backend; once per process."""
        keep_flags("XLA_FLAGS", compiled_programs.XLA_KEPT_FLAGS)
        with undisturbed(_IGNORED, but=_KEPT):
            os.environ["KERAS_BACKEND"] = "tensorflow"  # Keras reads it when it is imported
            os.environ["KERAS_HOME"] = os.devnull  # no settings of the user's, and none written
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors, no warnings
            module = importlib.import_module("manyseeds_tensorflow.backend")
        backend: Backend = module.TensorFlowBackend(settings)
        return backend


entry = Entry()
