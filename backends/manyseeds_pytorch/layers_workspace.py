"""Memory for temporary tensors, reused from step to step."""

from __future__ import annotations

from torch import Tensor


class Workspace:
    """Reusable memory, by use: mapping it anew takes longer than filling it.

    It belongs to one group of lanes; threads must not share it.
    """

    def __init__(self) -> None:
        self._memory: dict[str, Tensor] = {}

    def like(self, tensor: Tensor, use: str) -> Tensor:
        """Return uninitialised memory of a tensor's shape and type.

        Parameters
        ----------
        tensor
            Any shape.
        use
            Name of the use; this overwrites the memory last returned under that name.
        """
        memory = self._memory.get(use)
        size = tensor.numel()
        if memory is None or memory.numel() < size or memory.dtype != tensor.dtype:
            memory = self._memory[use] = tensor.new_empty(size)
        return memory[:size].view(tensor.shape)
