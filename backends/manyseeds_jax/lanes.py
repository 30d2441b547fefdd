"""Division of a cohort's lanes into groups: one per CPU thread, or a single group on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from manyseeds.backend.lane_shares import lane_shares
from manyseeds_jax.device import OpenDevice

Tree = Any

ALIGNMENT = 64
"""Bytes; XLA uses a host array without copying it if it starts at a multiple of this."""


class LaneGroups:
    """A cohort's lanes in groups: one group for each thread of the CPU, or one on the GPU.

    On a CPU each thread is a JAX device. It takes the lanes of its group one after another, each
    through a whole epoch, so that a lane's weights stay in the thread's cache. On a GPU all lanes
    run side by side.

    Parameters
    ----------
    device
        The open device.
    lanes
        Number of lanes; copies of the last one fill up the groups.

    Attributes
    ----------
    mesh
        The JAX devices, one for each group.
    """

    def __init__(self, device: OpenDevice, lanes: int) -> None:
        self._on_cpu = device.kind == "cpu"
        self._compiler_options = device.compiler_options
        groups = lane_shares(lanes, len(device.jax_devices))
        self.mesh = Mesh(np.array(device.jax_devices[: len(groups)]), ("lanes",))
        self._by_lane = PartitionSpec("lanes")
        self._replicated = PartitionSpec()
        self._sources = groups.ravel()
        self._lanes = lanes

    @property
    def at_once(self) -> int:
        """Number of lanes that a JAX device works on at a time."""
        return 1 if self._on_cpu else self._lanes

    def put(self, tree: Tree) -> Tree:
        """Copy arrays [lanes, ...] from the host, each lane to the device of its group."""
        filled = jax.tree.map(lambda leaf: np.asarray(leaf)[self._sources], tree)
        return jax.device_put(filled, NamedSharding(self.mesh, self._by_lane))

    def share(self, tree: Tree) -> Tree:
        """Copy arrays that all lanes read from the host to every device."""
        copies = jax.tree.map(_aligned_copy, tree)
        return jax.device_put(copies, NamedSharding(self.mesh, self._replicated))

    def get(self, tree: Tree) -> Tree:
        """Copy arrays [lanes, ...] back to the host, without the copies that fill up groups."""
        return jax.tree.map(lambda leaf: np.array(leaf)[: self._lanes], tree)

    def compile(
        self, function: Callable[..., Tree], arguments: tuple[Tree, ...], *, one_by_one: bool
    ) -> Callable[..., Tree]:
        """Compile one lane's function so that it runs for all lanes.

        Parameters
        ----------
        function
            Takes (moving, fixed, shared) of one lane and returns a tree of arrays.
        arguments
            The arguments of all lanes: moving and fixed are [lanes, ...], shared has no lanes. The
            call consumes moving.
        one_by_one
            Take one lane after another on a GPU, too; a CPU's thread always does.
        """

        def local(moving: Tree, fixed: Tree, shared: Tree) -> Tree:
            if self._on_cpu or one_by_one:
                return jax.lax.map(lambda lane: function(*lane, shared), (moving, fixed))
            return jax.vmap(function, in_axes=(0, 0, None))(moving, fixed, shared)

        spread = jax.shard_map(
            local,
            mesh=self.mesh,
            in_specs=(self._by_lane, self._by_lane, self._replicated),
            out_specs=self._by_lane,
            check_vma=False,
        )
        lowered = jax.jit(spread, donate_argnums=0).lower(*arguments)
        return lowered.compile(dict(self._compiler_options) or None)


def _aligned_copy(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a copy whose alignment lets the CPU's threads share it without copies of their own."""
    buffer = np.empty(values.nbytes + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    copy = buffer[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy
