"""A small network with every technique, and its data, phases and plans."""

import numpy as np

from manyseeds.backend.values import Batch, EpochPlan, Split, Splits
from manyseeds.randomness import streams
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques import network_streams
from manyseeds.techniques.network import Network

SIDE, ROWS, BATCH = 3, 27, 8
FEATURES = SIDE * SIDE
TASK = Task(name="toy", dataset="toy")

EVERYTHING = (
    "batch_norm",
    {"name": "dropout", "rate": 0.1},  # Else the second one undoes the first's shift.
    {"name": "gaussian_noise", "sd": 0.1},
    {"name": "dense", "units": 6, "bias": False, "penalty": "l2", "drop_connect": {"rate": 0.2}},
    {"name": "batch_norm", "momentum": 0.8},
    {"name": "activation", "function": "rrelu"},
    {"name": "dense", "units": 6, "activation": "prelu", "max_norm": {"radius": 0.9}},
    {"name": "skip", "of": "activation1"},
    "scale",
    {"name": "alpha_dropout", "rate": 0.1},
    {"name": "dropout", "rate": 0.3},
)

FAMILIAR = ({"name": "dense", "units": 6, "activation": "tanh"},)

AUGMENTATION = ("shift", "rotate", "contrast")


def a_network(hidden=EVERYTHING, output="softmax", units=3, **fields):
    last = {"name": "dense", "units": units, "activation": output} | fields
    return Network(name="toy", layers=(*hidden, last))


def some_data(output="softmax", rows=ROWS, tested=23):
    random = np.random.default_rng(1)

    def split(n):
        labels = {
            "softmax": random.integers(0, 3, n),
            "logistic": random.integers(0, 2, n),
            "linear": random.normal(size=(n, 1)),
        }[output]
        return Split(random.normal(size=(n, FEATURES)), labels)

    return Splits(split(rows), split(19), split(tested), key=f"{output}-{rows}-{tested}")


def first_weights(network, lanes, seed=0):
    return network_streams.initial_weights(network, FEATURES, range(seed, seed + lanes))


def a_phase(network, **fields):
    return Phase(
        **{"name": "p", "task": TASK, "network": network, "epochs": 1, "rate": 0.1} | fields
    )


def noise_keys(network, lanes, seed=0):
    seeds = range(seed, seed + lanes)
    return network_streams.noise_keys(network, {"dropout": seeds, "augment": seeds})


def a_plan(phase, lanes, *, epochs=1, rate=0.05, seed=0):
    seeds = range(seed, seed + lanes)
    order = np.concatenate(
        [
            streams.batch_order("toy", [np.arange(ROWS, dtype=np.int32)] * lanes, seeds, epoch)
            for epoch in range(epochs)
        ],
        axis=1,
    )
    steps = -(-order.shape[1] // BATCH)
    changes = None
    if phase.augmentation:
        changes = network_streams.image_changes(
            "toy", phase.augmentation, seeds, 0, order.shape[1], FEATURES
        )
    momentum = phase.optimizer.hyperparameters().get("momentum")
    return EpochPlan(
        order=order,
        batch=BATCH,
        rate=np.full((lanes, steps), rate),
        momentum=None if momentum is None else np.full((lanes, steps), momentum),
        noise=noise_keys(phase.network, lanes, seed),
        step=3,
        changes=changes,
    )


def begun(backend, phase, lanes, weights=None, data=None):
    cohort = backend.cohort(phase.network, data or some_data(), lanes)
    cohort.begin(phase, weights or first_weights(phase.network, lanes))
    return cohort


def first_batch(plan, rows=BATCH):
    changes = None if plan.changes is None else plan.changes[:, :rows]
    return Batch(rows=plan.order[:, :rows], noise=plan.noise, step=plan.step, changes=changes)
