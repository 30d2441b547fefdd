"""Statistics of the layers' outputs: mean, standard deviation and share of dead units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from manyseeds.backend.values import Activity
from manyseeds_pytorch.layers import ForwardPass
from manyseeds_pytorch.losses import probabilities
from manyseeds_pytorch.network import LaneNetwork


def activity(
    network: LaneNetwork, inputs: Tensor, forward_pass: ForwardPass
) -> dict[str, Activity]:
    """Return the activity of every layer, by label.

    Parameters
    ----------
    network
        A network in every lane.
    inputs
        [lanes, n, features].
    forward_pass
        The mode of the pass.
    """
    activities = {}
    for label, values in network.outputs(inputs, forward_pass):
        if label == network.definition.output.label:
            activities[label] = _activity(probabilities(network.definition.loss, values))
        else:
            activities[label] = _activity(values)
    return activities


def _activity(values: Tensor) -> Activity:
    mean = values.mean(1, keepdim=True)
    sd = (values - mean).square_().mean(1).sqrt_()
    dead = (values == 0).all(1)
    by_lane = (mean.mean((1, 2)), sd.mean(1), dead.double().mean(1))
    return Activity(*(statistic.double().cpu().numpy() for statistic in by_lane))


def join_activities(parts: Sequence[dict[str, Activity]]) -> dict[str, Activity]:
    """Return activities by label, joined along the lanes."""
    return {
        label: Activity(
            *(
                np.concatenate([getattr(part[label], name) for part in parts])
                for name in ("mean", "sd", "dead")
            )
        )
        for label in parts[0]
    }
