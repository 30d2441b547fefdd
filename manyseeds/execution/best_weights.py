"""Early stopping: tracks each lane's best epoch and the weights it will end with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.values import Floats
from manyseeds.techniques.early_stopping import EarlyStopping
from manyseeds.techniques.network import Weights


@dataclass
class BestWeights:
    """Each lane's best validation loss so far, and its saved weights.

    Attributes
    ----------
    rule
        The phase's early stopping; None where it has none.
    loss
        Best validation loss, [lanes].
    waited
        Epochs since then, [lanes].
    saved_at
        The epoch whose weights are saved, [lanes]; 0 where none are.
    weights
        Saved weights, [lanes, ...] by variable.
    """

    rule: EarlyStopping | None
    loss: Floats
    waited: NDArray[np.int64]
    saved_at: NDArray[np.int64]
    weights: dict[str, NDArray[Any]]

    @classmethod
    def start(cls, rule: EarlyStopping | None, lanes: int) -> BestWeights:
        """Return the state before the first epoch."""
        zeros = np.zeros(lanes, dtype=np.int64)
        return cls(rule, np.full(lanes, np.inf), zeros, zeros.copy(), {})

    @property
    def restores(self) -> bool:
        """Whether lanes end with the weights of their best epoch."""
        return self.rule is not None and self.rule.restore_best

    def restored(self) -> NDArray[np.bool_]:
        """Return which lanes end with the weights of their best epoch, [lanes].

        Such a lane may have diverged after that epoch: it ends with a network as good as any.
        """
        return (self.saved_at > 0) & self.restores

    def update(self, loss: Floats, active: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Take in an epoch's validation losses and return which lanes improved, [lanes]."""
        improved = active & (loss < self.loss)
        self.loss = np.where(improved, loss, self.loss)
        self.waited = np.where(improved, 0, self.waited + active)
        return improved

    def save(self, weights: Weights, lanes: NDArray[np.bool_], epoch: int) -> None:
        """Save the weights that these lanes have after an epoch."""
        for name, values in weights.items():
            if name not in self.weights:
                self.weights[name] = np.array(values)
            self.weights[name][lanes] = values[lanes]
        self.saved_at[lanes] = epoch

    def out_of_patience(self) -> NDArray[np.bool_]:
        """Return which lanes have used up their patience, [lanes]."""
        if self.rule is None:
            return np.zeros(len(self.loss), dtype=bool)
        return self.waited >= self.rule.patience

    def merged(self, last: Weights) -> Weights:
        """Return the weights the phase ends with: the saved ones, else `last`."""
        merged = {name: np.array(values) for name, values in last.items()}
        for name, values in self.weights.items():
            merged[name][self.saved_at > 0] = values[self.saved_at > 0]
        return merged

    def epoch_or(self, last: int) -> NDArray[np.int64]:
        """Return the epoch of each lane's weights, [lanes]; `last` where none are saved."""
        return np.where(self.saved_at > 0, self.saved_at, last)
