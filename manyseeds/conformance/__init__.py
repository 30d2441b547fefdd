"""The parity kit: checks that a technique is the same training on every backend.

Each backend follows the same recipes step by step in float64, in a process of its own: losses
and gradients of every step, final weights and scores are compared. Then every hyperparameter is
changed by 1 %, and every convention flipped, in one backend's own recipe, and the comparison must
catch it. Any backend with an entry point can be certified, a third party's as well.
"""

from __future__ import annotations

from manyseeds.conformance.comparison import TrajectoryComparison, compare
from manyseeds.conformance.parity_kit import parity_report
from manyseeds.conformance.report import ParityReport

__all__ = ["ParityReport", "TrajectoryComparison", "compare", "parity_report"]
