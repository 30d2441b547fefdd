"""What leaves the layers of a network, over some examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from manyseeds.backend.values import Activity
from manyseeds_pytorch.network import Stack
from manyseeds_pytorch.outputs import Logits
from manyseeds_pytorch.run import Run


def moments(stack: Stack, inputs: Tensor, run: Run) -> dict[str, Activity]:
    """Return what leaves each layer, by label, on inputs [lanes, n, features]."""
    output = stack.network.output.label
    found = {}
    for label, values in stack.outputs(inputs, run):
        seen = Logits(stack.network.loss, values).predictions() if label == output else values
        found[label] = _moments(seen)
    return found


def _moments(values: Tensor) -> Activity:
    mean = values.mean(1, keepdim=True)
    sd = (values - mean).square_().mean(1).sqrt_()
    dead = (values == 0).all(1)
    of_lanes = (mean.mean((1, 2)), sd.mean(1), dead.double().mean(1))
    return Activity(*(value.double().cpu().numpy() for value in of_lanes))


def joined_activity(parts: Sequence[dict[str, Activity]]) -> dict[str, Activity]:
    """Join activities along the lanes."""
    return {
        label: Activity(
            *(
                np.concatenate([getattr(part[label], name) for part in parts])
                for name in ("mean", "sd", "dead")
            )
        )
        for label in parts[0]
    }
