"""Estimates the memory of a cohort from the shapes of its arrays."""

from __future__ import annotations

import math

from manyseeds.backend.settings import Precision
from manyseeds.backend.values import EVALUATION_ROWS
from manyseeds.datasets import dataset
from manyseeds.suite.recipe import Phase

WEIGHT_COPIES = 8
"""Weights, gradients, up to two optimizer slots, and copies for transfers and updates."""
ACTIVATION_COPIES = 4
"""Inputs, outputs, their gradients and noise, of a training batch or an evaluation block."""


def bytes_per_lane(phase: Phase, precision: Precision) -> int:
    """Return the estimated bytes of one more lane."""
    features = dataset(phase.task.dataset).features
    size = 8 if precision == "float64" else 4
    shapes = phase.network.shapes(features).values()
    weights = sum(math.prod(shape) for shape in shapes)
    widths = sum(phase.network.widths(features).values())
    training = phase.batch * (features + widths) * ACTIVATION_COPIES
    evaluation = EVALUATION_ROWS * max(phase.network.widths(features).values()) * ACTIVATION_COPIES
    return size * (WEIGHT_COPIES * weights + max(training, evaluation))


def lanes_that_fit(phase: Phase, precision: Precision, budget: int) -> int:
    """Return how many lanes fit into `budget` bytes."""
    return budget // bytes_per_lane(phase, precision)
