"""Early stopping: each lane's best epoch, and the weights it ends with."""

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
    """Each lane's best validation loss, and the weights it ends with where it stops early."""

    rule: EarlyStopping | None
    loss: Floats
    waited: NDArray[np.int64]
    kept: NDArray[np.int64]
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

    def update(self, loss: Floats, active: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Note an epoch's validation losses and return which lanes improved."""
        improved = active & (loss < self.loss)
        self.loss = np.where(improved, loss, self.loss)
        self.waited = np.where(improved, 0, self.waited + active)
        return improved

    def keep(self, weights: Weights, lanes: NDArray[np.bool_], epoch: int) -> None:
        """Set these lanes' weights aside, as they are after an epoch."""
        for name, values in weights.items():
            if name not in self.weights:
                self.weights[name] = np.array(values)
            self.weights[name][lanes] = values[lanes]
        self.kept[lanes] = epoch

    def out_of_patience(self) -> NDArray[np.bool_]:
        """Return which lanes have waited long enough."""
        if self.rule is None:
            return np.zeros(len(self.loss), dtype=bool)
        return self.waited >= self.rule.patience

    def merged(self, last: Weights) -> Weights:
        """Return the weights the phase ends with."""
        merged = {name: np.array(values) for name, values in last.items()}
        for name, values in self.weights.items():
            merged[name][self.kept > 0] = values[self.kept > 0]
        return merged

    def epoch_or(self, last: int) -> NDArray[np.int64]:
        """Return each lane's epoch of the weights it ends with."""
        return np.where(self.kept > 0, self.kept, last)
