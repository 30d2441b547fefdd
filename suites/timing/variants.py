"""What a technique costs: a plain dense step, and the same step with one technique more.

The network is the chapter's 784-300-100-10 on Fashion-MNIST in batches of 32.
"""

from __future__ import annotations

from typing import Any

from manyseeds.network import Network
from manyseeds.recipe import Phase, Task
from manyseeds.stack import dense_stack

TASK = Task(name="timing", dataset="fashion-mnist-12k", valid=1000)

PLAIN: dict[str, Any] = {"activation": "relu", "initialiser": "he_normal"}
"""What every network here has unless a variant says otherwise."""

NETWORKS: dict[str, dict[str, Any]] = {
    "leaky_relu": {"activation": "leaky_relu"},
    "rrelu": {"activation": "rrelu"},
    "prelu": {"activation": "prelu"},
    "elu": {"activation": "elu"},
    "selu": {"activation": "selu"},
    "softplus": {"activation": "softplus"},
    "tanh": {"activation": "tanh"},
    "logistic": {"activation": "logistic"},
    "batch_norm after": {"after": ["batch_norm"]},
    "batch_norm before": {"before": ["batch_norm"], "bias": False},
    "batch_norm first, too": {"first": ["batch_norm"], "after": ["batch_norm"]},
    "dropout": {"after": [{"name": "dropout", "rate": 0.2}]},
    "dropout on the input, too": {
        "first": [{"name": "dropout", "rate": 0.2}],
        "after": [{"name": "dropout", "rate": 0.2}],
    },
    "alpha_dropout": {"after": [{"name": "alpha_dropout", "rate": 0.2}]},
    "gaussian_noise on the input": {"first": ["gaussian_noise"]},
    "l1": {"penalty": "l1"},
    "l2": {"penalty": "l2"},
    "l1_l2": {"penalty": "l1_l2"},
    "max_norm": {"max_norm": {"radius": 1.0}},
    "drop_connect": {"drop_connect": {"rate": 0.2}},
}

PHASES: dict[str, dict[str, Any]] = {
    "momentum": {"optimizer": "momentum"},
    "nesterov": {"optimizer": "nesterov"},
    "adagrad": {"optimizer": "adagrad"},
    "rmsprop": {"optimizer": "rmsprop"},
    "adam": {"optimizer": "adam"},
    "adamax": {"optimizer": "adamax"},
    "nadam": {"optimizer": "nadam"},
    "ftrl": {"optimizer": "ftrl"},
    "clip_value": {"clipping": "clip_value"},
    "clip_norm": {"clipping": "clip_norm"},
    "global_clip_norm": {"clipping": "global_clip_norm"},
    "augmentation": {"augmentation": ("shift", "rotate", "contrast")},
    "keep_zeros": {"keep_zeros": True},
}

VARIANTS = (*NETWORKS, *PHASES)


def phase(variant: str) -> Phase:
    """Return the phase of a variant; "plain" has none of the techniques."""
    table = PLAIN | NETWORKS.get(variant, {})
    layers = [
        *dense_stack([300, 100], table),
        {"name": "dense", "units": 10, "activation": "softmax"},
    ]
    network = Network.model_validate({"name": "timing", "layers": tuple(layers)})
    changes = {"rate": 1e-3} | PHASES.get(variant, {})
    return Phase(name="timing", task=TASK, network=network, epochs=1, **changes)
