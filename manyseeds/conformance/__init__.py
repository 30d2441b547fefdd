"""The parity kit: whether a technique is the same training on every backend.

Each backend follows the same recipes step by step in float64, in a process of its own: losses
and gradients of every step, final weights and scores are compared. Then every hyperparameter is
changed by 1 %, and every convention flipped, in one backend's own recipe, and must be noticed. Any
backend with an entry point can be certified, also a third party's.
"""

from __future__ import annotations

from manyseeds.conformance.outcome import parity_report
from manyseeds.conformance.parity import Comparison, compare
from manyseeds.conformance.report import ParityReport

__all__ = ["Comparison", "ParityReport", "compare", "parity_report"]
