"""Reused layers: the weights a phase starts with when layers are dropped, replaced or added."""

import numpy as np
import pytest
from manyseeds_numpy.training import NumpyBackend

from manyseeds.backend.settings import Settings
from manyseeds.conformance.recipes import parity_recipes
from manyseeds.datasets import task_splits
from manyseeds.execution.phase import train_phase
from manyseeds.execution.state import State
from manyseeds.execution.timetable import first_weights
from manyseeds.randomness.lanes import seeds_of
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.recipe import Recipe
from manyseeds.techniques.network import Network
from manyseeds.techniques.network_streams import initial_weights

LANES = seeds_of(range(2), ("init", "order", "dropout"))
RECIPE = parity_recipes()["transfer_mapped"]


def trained(recipe, phases):
    """Return the states after the first `phases` phases, each an epoch long."""
    backend = NumpyBackend(Settings(precision="float64"))
    states = [State.start(2)]
    for phase in recipe.phases[:phases]:
        data = task_splits(phase.task, "float64")
        cohort = backend.cohort(phase.network, data, 2)
        states.append(train_phase(cohort, recipe, states[-1], data, LANES, lambda _: None))
    return states


@pytest.fixture(scope="module")
def states():
    short = tuple(phase.model_copy(update={"epochs": 1}) for phase in RECIPE.phases)
    return trained(RECIPE.model_copy(update={"phases": short}), 3)


def layer(weights, label):
    return {name: v for name, v in weights.items() if name.split("/")[0] == label}


def test_reused_layers_keep_their_weights_and_replaced_ones_are_drawn_anew(states):
    frozen = RECIPE.phases[1]
    start = first_weights(frozen, states[1], LANES, 64)
    drawn = initial_weights(frozen.network, 64, [0, 1])
    assert list(start) == list(drawn)
    for label in ("batch_norm1", "hidden1", "batch_norm2"):  # moving averages, too
        for name, values in layer(start, label).items():
            np.testing.assert_array_equal(values, states[1].weights[name])
            assert (values != drawn[name]).any() or name == "hidden1/bias"
    for label in ("hidden2", "output"):  # other widths: 8 for 16, 1 for 10
        for name, values in layer(start, label).items():
            np.testing.assert_array_equal(values, drawn[name])
    assert "batch_norm3/gamma" in states[1].weights  # dropped in this phase
    assert not layer(start, "batch_norm3")


def test_frozen_layers_keep_their_weights_and_moving_averages_until_they_thaw(states):
    pretrained, frozen, thawing = (state.weights for state in states[1:])
    for label in ("batch_norm1", "hidden1", "batch_norm2"):
        for name, values in layer(frozen, label).items():
            np.testing.assert_array_equal(values, pretrained[name])
    for name, values in layer(thawing, "hidden1").items():
        np.testing.assert_array_equal(values, frozen[name])  # layers thaw from the top
    for name, values in layer(thawing, "batch_norm2").items():
        assert (values != frozen[name]).any()


MAPPED = """
name = "mapped"
title = "t"
description = "d"
seeds = 1
lanes = 1
tasks.t = { dataset = "digits" }
networks.a = { hidden = [4, 5, 6], output = { units = 10, activation = "softmax" } }
networks.b = { hidden = [4, 7, 6, 6], output = { units = 10, activation = "softmax" } }
phases.p = { task = "t", network = "a", epochs = 1, rate = 0.1 }

[[recipes]]
name = "mapped"
phases = [
    "p",
    { use = "p", name = "q", network = "b", reuse = { hidden1 = "hidden1", output = "output" } },
]
"""


def source(recipe):
    """Return a state whose weights hold the number of their variable, and the variables' names."""
    shapes = recipe.phases[0].network.shapes(64)
    weights = {n: np.full((2, *shape), float(i)) for i, (n, shape) in enumerate(shapes.items())}
    return State(**{**vars(State.start(2)), "phases": 1, "weights": weights}), list(shapes)


def test_a_new_layer_can_stand_between_reused_ones():
    recipe = parse_suite(MAPPED, "mapped.toml").cells[0].recipe
    state, names = source(recipe)
    start = first_weights(recipe.phases[1], state, LANES, 64)
    taken = {n: names[int(v.flat[0])] for n, v in start.items() if np.ptp(v) == 0 and v.flat[0]}
    expected = {"hidden1/bias", "output/kernel", "output/bias"}
    assert taken == {name: name for name in expected}
    assert not start["hidden1/kernel"].any()  # the first of the source: 0
    assert np.ptp(start["hidden2/kernel"]) > 0


def test_a_reused_layer_can_take_the_weights_of_a_layer_with_another_label():
    text = MAPPED.replace(
        '{ hidden1 = "hidden1", output = "output" }', '{ hidden1 = "hidden1", output = "hidden3" }'
    )
    text = text.replace('output = { units = 10, activation = "softmax" } }', "X")
    text = text.replace("[4, 5, 6], X", "[4, 6, 10], X").replace("[4, 7, 6, 6], X", "[4, 6], X")
    text = text.replace("X", 'output = { units = 10, activation = "softmax" } }')
    recipe = parse_suite(text, "mapped.toml").cells[0].recipe
    state, _ = source(recipe)
    start = first_weights(recipe.phases[1], state, LANES, 64)
    np.testing.assert_array_equal(start["output/kernel"], state.weights["hidden3/kernel"])
    assert isinstance(recipe, Recipe)
    assert isinstance(recipe.phases[1].network, Network)


def test_reusing_all_layers_continues_with_the_same_network(states):
    start = first_weights(RECIPE.phases[2], states[2], LANES, 64)
    for name, values in start.items():
        np.testing.assert_array_equal(values, states[2].weights[name])
