"""Small networks with their data, phases and plans, and cohorts that train them."""

from dataclasses import replace

import numpy as np

from manyseeds.backend.values import Batch, EpochPlan, Split, Splits
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques.network import Network
from manyseeds.techniques.network_streams import image_changes, initial_weights, noise_keys

SEEDS = [1, 2, 3]
ROWS, FEATURES, BATCH = 44, 9, 16
STEPS = -(-ROWS // BATCH)  # the last batch is smaller

OUTPUT = {"name": "dense", "units": 3, "activation": "softmax"}
LINEAR = {"name": "dense", "units": 1}
AUGMENTATION = ("shift", "rotate", "resize", "crop", "horizontal_flip", "contrast", "brightness")


def network(*layers):
    return Network(name="net", layers=layers)


def dense_network(*hidden, outputs=3, activation="softmax", dropout=None):
    """Return a network of (units, activation), with dropout below every layer but the output."""
    below = [] if dropout is None else [{"name": "dropout", "rate": dropout}]
    layers = [] if hidden else [*below]
    for units, function in hidden:
        layers += [*below, {"name": "dense", "units": units, "activation": function}]
    return network(*layers, {"name": "dense", "units": outputs, "activation": activation})


PLAIN = network(
    {"name": "dense", "units": 5, "activation": "tanh"}, {"name": "dense", "units": 4}, OUTPUT
)
PENALISED = network(
    {"name": "dense", "units": 5, "activation": "tanh", "penalty": {"name": "l1", "l1": 0.03}},
    {"name": "dense", "units": 4, "penalty": {"name": "l2", "l2": 0.02}},
    OUTPUT | {"penalty": {"name": "l1_l2", "l1": 0.01, "l2": 0.05}},
)
SMALL = dense_network((9, "selu"))
LINEAR_MODEL = dense_network(outputs=1, activation="linear")


def examples(net, seed=0):
    """Return random inputs with labels for a network's loss."""
    generator = np.random.default_rng(seed)
    splits = []
    for count in (ROWS, 30, 23):
        labels = {
            "sparse_cross_entropy": generator.integers(0, 3, count),
            "binary_cross_entropy": generator.integers(0, 2, count),
            "mean_squared_error": generator.normal(size=count),
        }[net.loss]
        splits.append(Split(generator.normal(size=(count, FEATURES)), labels))
    return Splits(*splits, key=f"toy-{net.loss}-{seed}")


def keys(net, seeds=SEEDS):
    return noise_keys(net, {"dropout": seeds, "augment": seeds})


def changes_of(count, seeds=SEEDS, features=FEATURES):
    """Return changes to so many images of every lane, by every kind of augmentation."""
    kinds = phase(SMALL, augmentation=AUGMENTATION).augmentation
    return image_changes("task", kinds, seeds, 0, count, features)


def phase(net, **fields):
    defaults = {"name": "phase", "epochs": 1, "rate": 0.1, "batch": BATCH, "optimizer": "sgd"}
    return Phase(task=Task(name="task", dataset="made up"), network=net, **defaults | fields)


def plan(net, seeds=SEEDS, epoch=0, rate=0.1, momentum=0.9, rows=ROWS):
    """Return a plan with each seed's own order; rate and momentum broadcast to [lanes, steps]."""
    order = np.stack([np.random.default_rng((seed, epoch)).permutation(rows) for seed in seeds])
    steps = -(-rows // BATCH)
    return EpochPlan(
        order=order.astype(np.int32),
        batch=BATCH,
        rate=np.broadcast_to(rate, (len(seeds), steps)).astype(float),
        momentum=np.broadcast_to(momentum, (len(seeds), steps)).astype(float),
        noise=keys(net, seeds),
        step=epoch * steps,
    )


def one_step(net, seeds=SEEDS, rate=0.1):
    return plan(net, seeds, rate=rate).steps(0, 1)


def batch_of(plan):
    """Return the first batch of a plan."""
    return Batch(plan.order[:, : plan.batch], plan.noise, plan.step)


def started(backend, net, weights=None, seeds=SEEDS, data=None, **fields):
    """Return a cohort at the start of a phase, by default with its seeds' initial weights."""
    cohort = backend.cohort(net, data or examples(net), len(seeds))
    first = initial_weights(net, FEATURES, seeds) if weights is None else weights
    cohort.begin(phase(net, **fields), first)
    return cohort


def trained(backend, net, seeds=SEEDS, epochs=2, rate=0.1, changes=None, **options):
    """Return the losses [lanes, steps] of some epochs, and the weights after them."""
    cohort = started(backend, net, seeds=seeds, **options)
    plans = [replace(plan(net, seeds, epoch, rate), changes=changes) for epoch in range(epochs)]
    losses = [cohort.train(epoch).loss for epoch in plans]
    return np.concatenate(losses, axis=1), cohort.weights()


def perturbed(net, seeds=SEEDS):
    """Return initial weights, moved so that no variable has its usual initial value."""
    generator = np.random.default_rng(3)
    first = initial_weights(net, FEATURES, seeds)
    return {name: value + generator.uniform(0.1, 0.4, value.shape) for name, value in first.items()}


def lane_of(weights, lane):
    return {name: value[lane] for name, value in weights.items()}


def distance(ours, theirs):
    """Return the largest relative error of the weights, over their names."""
    assert list(ours) == list(theirs)
    return max(
        np.linalg.norm(ours[name] - theirs[name]) / max(np.linalg.norm(theirs[name]), 1e-300)
        for name in theirs
    )
