"""A plain dense training step, and variants of it with one technique more.

The network is the chapter's 784-300-100-10 on Fashion-MNIST in batches of 32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.products import Product, step_products
from manyseeds.randomness.noise import blocks, normal_blocks
from manyseeds.suite.dense_stack import dense_stack
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques.layers import GaussianNoise
from manyseeds.techniques.network import Network

TASK = Task(name="timing", dataset="fashion-mnist-12k", valid=1000)

PLAIN: dict[str, Any] = {"activation": "relu", "initialiser": "he_normal"}
"""Settings of every network here unless a variant says otherwise."""

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

FEATURES, FLOAT_BYTES = 784, 4

NUMBERS_PER_WEIGHT = {
    "momentum": 1,
    "nesterov": 1,
    "adagrad": 1,
    "rmsprop": 1,
    "adam": 2,
    "adamax": 2,
    "nadam": 2,
    "ftrl": 2,
    "global_clip_norm": 1,
    "keep_zeros": 0.5,
}
"""Numbers beside each weight that a step must read and write: the state of an optimizer, or the
gradient where a rule needs all of it; a mask is only read."""

OPERATIONS_PER_WEIGHT = {
    "l1": 4,
    "l2": 4,
    "l1_l2": 8,
    "max_norm": 3,
    "drop_connect": 3,
    "momentum": 2,
    "nesterov": 4,
    "adagrad": 5,
    "rmsprop": 7,
    "adam": 11,
    "adamax": 9,
    "nadam": 14,
    "ftrl": 13,
    "clip_value": 2,
    "clip_norm": 3,
    "global_clip_norm": 3,
    "keep_zeros": 1,
}
"""Operations on each weight beyond those of SGD, as the equation is written."""


@dataclass(frozen=True)
class Arithmetic:
    """The least arithmetic that a step needs.

    Attributes
    ----------
    bytes
        Bytes read from memory and written to it, if no cached value is ever fetched again.
    flops
        Operations of the matrix products and the weights' updates; those of activations are few.
    blocks
        Blocks of Threefry.
    """

    bytes: float
    flops: float
    blocks: int


def plain_arithmetic(lanes: int) -> Arithmetic:
    """Return the arithmetic of a plain step: weights are read forward, then read and written."""
    weights = lanes * _weights(phase("plain").network)
    flops = lanes * sum(product.flops for product in plain_products())
    return Arithmetic(3 * FLOAT_BYTES * weights, flops + 2 * weights, 0)


def plain_products() -> tuple[Product, ...]:
    """Return the matrix products of a plain step in one lane."""
    plain = phase("plain")
    return step_products(plain.network, FEATURES, plain.batch)


def added_arithmetic(variant: str, lanes: int) -> Arithmetic:
    """Return the arithmetic that a technique adds to a plain step."""
    varied = phase(variant)
    weights = lanes * _weights(varied.network)
    normal = {layer.label for layer in varied.network.layers if isinstance(layer, GaussianNoise)}
    noises = varied.network.noises(varied.batch, FEATURES)
    drawn = sum(
        normal_blocks(count) if label in normal else blocks(count)
        for label, count in noises.items()
    )
    return Arithmetic(
        2 * FLOAT_BYTES * NUMBERS_PER_WEIGHT.get(variant, 0) * weights,
        OPERATIONS_PER_WEIGHT.get(variant, 0) * weights,
        lanes * drawn,
    )


def _weights(network: Network) -> int:
    """Return the number of kernel weights in a lane."""
    shapes = network.shapes(FEATURES).values()
    return sum(shape[0] * shape[1] for shape in shapes if len(shape) == 2)


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
