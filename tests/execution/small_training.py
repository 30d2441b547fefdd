"""A small training for the tests of the epoch driver: data, recipes, a scripted cohort."""

import numpy as np
from manyseeds_numpy.training import NumpyBackend

from manyseeds.backend.settings import Settings
from manyseeds.backend.values import EpochTrace, Scores, Split, Splits
from manyseeds.execution.phase import train_phase
from manyseeds.execution.state import State
from manyseeds.randomness.lanes import seeds_of
from manyseeds.suite.recipe import Phase, Recipe, Task
from manyseeds.techniques.network import Network

FEATURES = 6
STREAMS = ("init", "order", "dropout")


def make_splits(rows=40):
    generator = np.random.default_rng(0)

    def split(n):
        inputs = generator.standard_normal((n, FEATURES))
        return Split(inputs, (inputs[:, 0] + 0.3 * generator.standard_normal(n) > 0).astype(int))

    return Splits(split(rows), split(20), split(20), key="made")


DATA = make_splits()


def network(name="net", units=(5, 4), dropout=False):
    layers = [{"name": "dense", "units": n, "activation": "tanh"} for n in units]
    if dropout:
        layers.insert(1, {"name": "dropout", "rate": 0.5})
    output = {"name": "dense", "units": 1, "activation": "logistic"}
    return Network(name=name, layers=(*layers, output))


def phase(name="train", task="task", **fields):
    given = {"network": network(), "epochs": 3, "rate": 0.1, "batch": 16} | fields
    return Phase(name=name, task=Task(name=task, dataset="digits"), **given)


def recipe(*phases):
    return Recipe(name="recipe", phases=phases)


def trained(asked, seeds=(0, 1), data=DATA, cohort=None, varied=STREAMS):
    """Train a recipe on NumPy in float64 and return the state after every phase."""
    backend = NumpyBackend(Settings(precision="float64"))
    lanes = seeds_of(seeds, varied)
    states = [State.start(len(seeds))]
    for part in asked.phases:
        used = cohort or backend.cohort(part.network, data, len(seeds))
        states.append(train_phase(used, asked, states[-1], data, lanes, lambda _: None))
    return states


class Scripted:
    """A cohort whose validation losses are given; its weights are the epochs trained so far."""

    def __init__(self, losses, train_loss=None):
        self.losses = np.array(losses, dtype=float)
        self.train_loss = train_loss
        self.epochs = 0
        self.asked = []

    def begin(self, phase, weights):
        self.names = list(weights)

    def train(self, plan):
        self.epochs += 1
        self.plan = plan
        loss = np.ones((self.losses.shape[1], plan.step_count))
        if self.train_loss is not None:
            loss[:, -1] = self.train_loss[self.epochs - 1]
        return EpochTrace(loss=loss)

    def evaluate(self, split, metrics, *, probabilities=False):
        self.asked.append(split)
        loss = self.losses[self.epochs - 1]
        return Scores({"loss": loss, "accuracy": np.zeros_like(loss)})

    def weights(self):
        lanes = self.losses.shape[1]
        return {name: np.full((lanes, 1), float(self.epochs)) for name in self.names}
