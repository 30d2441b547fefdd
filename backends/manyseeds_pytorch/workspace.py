"""Memory for what is temporary in a step."""

from __future__ import annotations

from torch import Tensor


class Workspace:
    """Memory that is used again and again: to map it anew takes longer than to fill it.

    One shard's only: threads must not share it.
    """

    def __init__(self) -> None:
        self._memory: dict[str, Tensor] = {}

    def like(self, values: Tensor, use: str) -> Tensor:
        """Return memory of the shape and type of values, not set; the use's last is overwritten."""
        memory = self._memory.get(use)
        size = values.numel()
        if memory is None or memory.numel() < size or memory.dtype != values.dtype:
            memory = self._memory[use] = values.new_empty(size)
        return memory[:size].view(values.shape)
