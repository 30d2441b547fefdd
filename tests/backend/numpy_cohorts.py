"""Networks, data, plans and cohorts for the tests of the NumPy reference."""

import numpy as np
from manyseeds_numpy.training import NumpyBackend

from manyseeds.backend.settings import Settings
from manyseeds.backend.values import EpochPlan, Split, Splits
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques.network import Network
from manyseeds.techniques.network_streams import initial_weights, noise_keys

FEATURES, ROWS, BATCH = 9, 23, 8
GENERATOR = np.random.default_rng(0)
CLASSES = GENERATOR.integers(0, 3, ROWS)
LABELS = {"softmax": CLASSES, "logistic": CLASSES % 2, "linear": GENERATOR.normal(size=ROWS)}
INPUTS = GENERATOR.normal(size=(ROWS, FEATURES))
SOFTMAX = {"name": "dense", "units": 3, "activation": "softmax"}


def dense(units=4, activation="tanh", **fields):
    return {"name": "dense", "units": units, "activation": activation, **fields}


def network(*layers, output=SOFTMAX):
    return Network(name="net", layers=(*layers, output))


def data(kind="softmax", dtype=np.float64, inputs=INPUTS, labels=None):
    labels = LABELS[kind] if labels is None else labels
    split = Split(inputs.astype(dtype), labels)
    return Splits(split, split, split, key="made up")


def phase(net, optimizer="sgd", **fields):
    fields = {"epochs": 1, "rate": 0.1, "batch": BATCH} | fields
    task = Task(name="task", dataset="x")
    return Phase(name="phase", task=task, network=net, optimizer=optimizer, **fields)


def keys(net, seeds):
    return noise_keys(net, {"dropout": seeds, "augment": seeds})


def make_cohort(training_phase, weights, splits=None, precision="float64"):
    """Return a cohort that has begun a phase; its lanes are those of the weights."""
    lanes = len(next(iter(weights.values())))
    if splits is None:
        splits = data(training_phase.network.output.activation.name, precision)
    cohort = NumpyBackend(Settings(precision=precision)).cohort(
        training_phase.network, splits, lanes
    )
    cohort.begin(training_phase, weights)
    return cohort


def plan(net, order, batch=BATCH, rate=0.1, momentum=None, seeds=None, step=0, changes=None):
    lanes, rows = order.shape
    every = np.ones((lanes, -(-rows // batch)))
    return EpochPlan(
        order=order.astype(np.int32),
        batch=batch,
        rate=rate * every,
        momentum=None if momentum is None else momentum * every,
        noise=keys(net, range(lanes) if seeds is None else seeds),
        step=step,
        changes=changes,
    )


def general_weights(net, lanes=1, seed=1):
    """Return weights in general position: no variable has its initial value."""
    generator = np.random.default_rng(seed)
    drawn = initial_weights(net, FEATURES, range(lanes))
    moved = {n: w + 0.3 * generator.normal(size=w.shape) for n, w in drawn.items()}
    return {n: np.abs(w) + 0.1 if n.endswith("variance") else w for n, w in moved.items()}


STACKS = {
    "batch norm first": ["batch_norm", dense()],
    "batch norm after": [dense(), "batch_norm", dense()],
    "batch norm before": [
        dense(bias=False, activation="linear"), "batch_norm",
        {"name": "activation", "function": "prelu"},
    ],
    "dropout": [{"name": "dropout", "rate": 0.2}, dense(), {"name": "dropout", "rate": 0.5}],
    "alpha dropout": [dense(activation="selu"), {"name": "alpha_dropout", "rate": 0.4}, dense()],
    "white noise": [{"name": "gaussian_noise", "sd": 0.5}, dense(), "gaussian_noise"],
    "skips": [
        dense(FEATURES), {"name": "skip", "of": "input"}, dense(), dense(),
        {"name": "skip", "of": "hidden2"}, dense(), {"name": "skip", "of": "hidden2"},
    ],
    "skip of a skip": [
        dense(), dense(), {"name": "skip", "of": "hidden1"}, {"name": "skip", "of": "skip1"},
        {"name": "dropout", "rate": 0.3}, {"name": "skip", "of": "dropout1"},
    ],
    "scale": [dense(), "scale", dense(), "scale"],
    "drop connect": [
        dense(drop_connect={"rate": 0.4}), dense(bias=False, drop_connect={"rate": 0.1})
    ],
    "penalties": [dense(penalty="l1"), dense(penalty="l2"), dense(penalty="l1_l2")],
    "max-norm": [dense(max_norm={"radius": 0.1})],
    "everything": [
        "batch_norm", {"name": "dropout", "rate": 0.1}, "gaussian_noise",
        dense(bias=False, penalty="l2", drop_connect={"rate": 0.2}), "batch_norm",
        {"name": "activation", "function": "rrelu"}, dense(activation="prelu"), "scale",
        {"name": "skip", "of": "activation1"}, {"name": "alpha_dropout", "rate": 0.4},
    ],
}  # fmt: skip
EVERYTHING = network(
    *STACKS["everything"], output=SOFTMAX | {"penalty": "l1", "max_norm": {"radius": 1.0}}
)
