"""The JAX backend: Flax layers and Optax optimizers, with the lanes of a cohort under `jax.vmap`.

Importing this package imports no framework; `entry.open` does.
"""

from __future__ import annotations

from collections.abc import Mapping

from manyseeds.backend import compiled_programs, nvidia
from manyseeds.backend.protocols import Backend
from manyseeds.backend.settings import Device, Settings
from manyseeds.processes.surroundings import keep_flags, undisturbed
from manyseeds.suite.recipe import Recipe

_IGNORED = ("JAX_*", "LIBTPU_*", "FLAX_*", "OPTAX_*", "CHEX_*", "NVIDIA_TF32_OVERRIDE")
"""Environment variables that change what JAX computes, or make it refuse what it is told to."""

_KEPT = ("JAX_PLATFORMS",)


class Entry:
    """The JAX backend before it is opened; see `manyseeds.backend.protocols.BackendEntry`."""

    name = "jax"
    requires: tuple[str, ...] = ("jax", "flax", "optax")
    install = "pip install 'manyseeds[jax]'"

    quick_compile_flags: Mapping[str, str] = compiled_programs.XLA_QUICK_COMPILE_FLAGS

    def unsupported(self, recipe: Recipe) -> str | None:
        """Return None: this backend can train every recipe."""
        del recipe
        return None

    def free_memory(self, device: Device) -> int | None:
        """Return the bytes that are free on the GPU; None for a CPU."""
        return nvidia.free_memory(device)

    def open(self, settings: Settings) -> Backend:
        """Import JAX, apply the settings and return the backend; once per process."""
        keep_flags("XLA_FLAGS", compiled_programs.XLA_KEPT_FLAGS)
        with undisturbed(_IGNORED, but=_KEPT):
            from manyseeds_jax.backend import JaxBackend

        return JaxBackend(settings)


entry = Entry()
