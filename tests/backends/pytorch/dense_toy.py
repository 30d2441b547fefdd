"""A small dense network with its data, phases and plans."""

import numpy as np

from manyseeds.backend.values import EpochPlan, Split, Splits
from manyseeds.randomness import streams
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques import network_streams
from manyseeds.techniques.layers import Dense, Dropout
from manyseeds.techniques.network import Network

FEATURES, ROWS, BATCH = 6, 27, 8
TASK = Task(name="toy", dataset="toy")


def a_network(output="softmax", units=3, activation="selu", dropout=None, bias=True):
    hidden = [Dense(units=7, activation=activation, bias=bias), Dense(units=5, activation="tanh")]
    if dropout is not None:
        hidden = [
            Dropout(rate=dropout),
            hidden[0],
            Dropout(rate=dropout),
            hidden[1],
        ]
    last = Dense(units=units, activation=output)
    return Network(name="toy", layers=(*hidden, last))


def some_data(output="softmax", units=3, rows=ROWS, key="toy"):
    random = np.random.default_rng(1)

    def split(n):
        labels = {
            "softmax": random.integers(0, units, n),
            "logistic": random.integers(0, 2, n),
            "linear": random.normal(size=(n, units)),
        }[output]
        return Split(random.normal(size=(n, FEATURES)), labels)

    return Splits(split(rows), split(19), split(23), key=f"{key}-{output}-{units}-{rows}")


def first_weights(network, lanes, seed=0):
    return network_streams.initial_weights(network, FEATURES, range(seed, seed + lanes))


def a_phase(network, **fields):
    return Phase(
        **{"name": "p", "task": TASK, "network": network, "epochs": 1, "rate": 0.1} | fields
    )


def a_plan(network, lanes, *, epochs=1, rate=0.1, momentum=None, first=0, seed=0, rows=ROWS):
    """Return a plan of some epochs; rate and momentum broadcast to [lanes, steps]."""
    seeds = range(seed, seed + lanes)
    order = streams.batch_order("toy", [np.arange(rows, dtype=np.int32)] * lanes, seeds, first)
    order = np.concatenate([order] * epochs, axis=1)
    steps = -(-order.shape[1] // BATCH)
    return EpochPlan(
        order=order,
        batch=BATCH,
        rate=np.broadcast_to(rate, (lanes, steps)).copy(),
        momentum=None if momentum is None else np.broadcast_to(momentum, (lanes, steps)).copy(),
        noise=network_streams.noise_keys(network, {"dropout": seeds, "augment": seeds}),
        step=first * steps,
    )


def trained(backend, network, plan, *, phase=None, weights=None, data=None):
    lanes = len(plan.order)
    cohort = backend.cohort(network, data or some_data(), lanes)
    cohort.begin(phase or a_phase(network), weights or first_weights(network, lanes))
    return cohort.train(plan), cohort
