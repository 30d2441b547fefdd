"""The parity kit: whether a recipe is the same training on every backend.

Each backend follows the same recipes step by step in float64, in a process of its own: losses
and gradients of every step, final weights and scores are compared. Then every numeric
hyperparameter is changed by 1 % in one backend's own recipe, and must be noticed.
"""

from __future__ import annotations

from manyseeds.conformance.outcome import parity_outcome
from manyseeds.conformance.parity import Comparison, compare

__all__ = ["Comparison", "compare", "parity_outcome"]
