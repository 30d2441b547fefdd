"""The classes that apply the optimizers of `manyseeds.techniques.optimizers`, by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from torch import Tensor

from manyseeds.techniques import optimizers as techniques
from manyseeds_pytorch.optimizers_adaptive import (
    LaneAdagrad,
    LaneAdam,
    LaneAdamax,
    LaneNadam,
    LaneRmsprop,
)
from manyseeds_pytorch.optimizers_base import Hook, LaneOptimizer
from manyseeds_pytorch.optimizers_ftrl import LaneFtrl, SmoothFtrl
from manyseeds_pytorch.optimizers_sgd import (
    LaneMomentum,
    LaneNesterov,
    LaneSgd,
    MomentumInBackward,
    SgdInBackward,
)

RULES: Mapping[str, type[LaneOptimizer]] = {
    "sgd": LaneSgd,
    "momentum": LaneMomentum,
    "nesterov": LaneNesterov,
    "adagrad": LaneAdagrad,
    "rmsprop": LaneRmsprop,
    "adam": LaneAdam,
    "adamax": LaneAdamax,
    "nadam": LaneNadam,
    "nadam_keras3": LaneNadam,
    "ftrl": LaneFtrl,
}
"""The class that applies each optimizer, by the optimizer's name."""

_IN_BACKWARD: Mapping[str, type[LaneOptimizer]] = {
    "sgd": SgdInBackward,
    "momentum": MomentumInBackward,
}
"""Faster classes, for use when no hook changes the gradients before the update."""


def lane_optimizer(
    technique: techniques.Optimizer,
    parameters: Sequence[Tensor],
    before: Sequence[Hook] = (),
    after: Sequence[Hook] = (),
    early: Collection[int] = (),
) -> LaneOptimizer:
    """Return a fresh optimizer.

    Parameters
    ----------
    technique
        The optimizer's definition, with its hyperparameters.
    parameters
        The trained variables, [lanes, ...].
    before, after
        Hooks that change the gradients before the update, and the parameters after it.
    early
        Indices of parameters that may be updated in the middle of the backward pass.
    """
    name = technique.name
    rule = RULES[name] if before else _IN_BACKWARD.get(name, RULES[name])
    if isinstance(technique, techniques.Ftrl) and technique.l1 == 0 and not after:
        rule = SmoothFtrl
    return rule(technique, parameters, before, after, early)
