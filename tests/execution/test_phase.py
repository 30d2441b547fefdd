"""The epoch driver: selection on validation data, lane by lane, phase by phase."""

from dataclasses import replace
from types import SimpleNamespace
from typing import get_type_hints

import numpy as np
import pytest
from manyseeds_numpy.training import NumpyBackend

from manyseeds.backend.protocols import TrainingCohort
from manyseeds.backend.settings import Settings
from manyseeds.backend.values import Split
from manyseeds.execution.phase import train_phase, with_layers
from manyseeds.execution.state import State
from manyseeds.execution.timetable import first_weights
from manyseeds.randomness.lanes import seeds_of
from manyseeds.techniques.early_stopping import EarlyStopping
from manyseeds.techniques.network_streams import initial_weights
from tests.execution.small_training import (
    DATA,
    FEATURES,
    STREAMS,
    Scripted,
    network,
    phase,
    recipe,
    trained,
)


def test_the_driver_has_no_way_to_the_test_split():
    hints = get_type_hints(train_phase)
    assert hints["cohort"] is TrainingCohort
    assert not hasattr(TrainingCohort, "score")
    split = get_type_hints(TrainingCohort.evaluate)["split"]
    assert set(split.__args__) == {"train", "valid"}


def test_training_is_the_same_whatever_is_in_the_test_split():
    other = replace(DATA, test=Split(DATA.test.inputs * np.nan, 1 - DATA.test.labels))
    asked = recipe(phase(early_stopping=EarlyStopping(patience=1), epochs=6))
    one, two = trained(asked)[-1], trained(asked, data=other)[-1]
    assert_same(one, two)


def assert_same(one, two):
    assert one.weights.keys() == two.weights.keys()
    for name in one.weights:
        np.testing.assert_array_equal(one.weights[name], two.weights[name])
    assert one.best_epoch.tolist() == two.best_epoch.tolist()
    assert one.diverged == two.diverged
    assert len(one.curves) == len(two.curves)
    for ours, theirs in zip(one.curves, two.curves, strict=True):
        assert (ours.phase, ours.epoch) == (theirs.phase, theirs.epoch)
        for name in ours.values:
            np.testing.assert_array_equal(ours.values[name], theirs.values[name])


def test_a_diverging_lane_leaves_the_others_bit_for_bit():
    clean = trained(recipe(phase()), (0, 1, 2))[-1]
    backend = NumpyBackend(Settings(precision="float64"))
    cohort = backend.cohort(network(), DATA, 3)
    begin = cohort.begin

    def poisoned(phase, weights):
        begin(phase, {name: np.array(values) for name, values in weights.items()})
        cohort._weights["hidden1/kernel"][1] = np.nan

    cohort.begin = poisoned
    state = trained(recipe(phase()), (0, 1, 2), cohort=cohort)[-1]
    assert [bool(reason) for reason in state.diverged] == [False, True, False]
    for name in clean.weights:
        for lane in (0, 2):
            np.testing.assert_array_equal(state.weights[name][lane], clean.weights[name][lane])


@pytest.mark.parametrize("dropout", [False, True])
def test_a_lane_is_the_same_training_as_that_seed_alone(dropout):
    asked = recipe(
        phase("pretrain", task="a", network=network("a", dropout=dropout)),
        phase("train", network=network("b", dropout=dropout), reuse=("hidden1",)),
    )
    together = trained(asked, (3, 4, 5))[-1]
    alone = trained(asked, (4,))[-1]
    for name in alone.weights:
        np.testing.assert_array_equal(alone.weights[name][0], together.weights[name][1])
    for ours, theirs in zip(alone.curves, together.curves, strict=True):
        for name in ours.values:
            assert ours.values[name][0] == theirs.values[name][1]


def test_a_lanes_streams_do_not_move_when_another_lane_stops_early():
    rule = EarlyStopping(patience=1)
    asked = recipe(
        phase("first", epochs=12, rate=1.5, early_stopping=rule, network=network(dropout=True)),
        phase("second", reuse="all", network=network(dropout=True)),
    )
    together = trained(asked, range(4))
    for seed in range(4):
        alone = trained(asked, [seed])
        assert alone[-1].epochs_on_task == together[-1].epochs_on_task == {"task": 15}
        assert alone[-1].steps_of_network == together[-1].steps_of_network == {"net": 45}
        for name in alone[-1].weights:
            np.testing.assert_array_equal(
                alone[-1].weights[name][0], together[-1].weights[name][seed]
            )


def test_varying_one_stream_changes_the_training_and_pinning_all_repeats_it():
    asked = recipe(phase(network=network(dropout=True)))
    for stream in STREAMS:
        weights = trained(asked, (1, 2), varied=(stream,))[-1].weights["output/kernel"]
        assert (weights[0] != weights[1]).any(), stream
    weights = trained(asked, (1, 2), varied=("augment",))[-1].weights["output/kernel"]
    assert (weights[0] == weights[1]).all()


def test_a_phase_starts_from_reused_layers_and_draws_the_others():
    asked = recipe(
        phase("a", network=network("a")), phase("b", network=network("b"), reuse=("hidden1",))
    )
    after = trained(asked)[1]
    weights = first_weights(asked.phases[1], after, seeds_of((0, 1), STREAMS), FEATURES)
    drawn = initial_weights(network("b"), FEATURES, (0, 1))
    np.testing.assert_array_equal(weights["hidden1/kernel"], after.weights["hidden1/kernel"])
    np.testing.assert_array_equal(weights["hidden1/bias"], after.weights["hidden1/bias"])
    np.testing.assert_array_equal(weights["hidden2/kernel"], drawn["hidden2/kernel"])
    np.testing.assert_array_equal(weights["output/kernel"], drawn["output/kernel"])


def test_frozen_layers_stay_and_the_rest_is_trained():
    asked = recipe(
        phase("a"), phase("b", network=network("b"), reuse=("hidden1",), frozen=("hidden1",))
    )
    states = trained(asked)
    before, after = states[1].weights, states[2].weights
    np.testing.assert_array_equal(after["hidden1/kernel"], before["hidden1/kernel"])
    assert (after["hidden2/kernel"] != before["hidden2/kernel"]).any()


def test_a_phase_that_goes_on_continues_the_order_and_the_noise_of_the_one_before():
    asked = recipe(
        phase("a", network=network(dropout=True)),
        phase("b", network=network(dropout=True), reuse="all"),
    )
    whole = recipe(phase("a", network=network(dropout=True), epochs=6))
    # With plain SGD, which remembers nothing, two phases of three epochs are one of six.
    for name, values in trained(asked)[-1].weights.items():
        np.testing.assert_array_equal(values, trained(whole)[-1].weights[name])


def test_tasks_and_networks_count_their_epochs_and_steps_apart():
    asked = recipe(
        phase("a", task="one", network=network("a")),
        phase("b", task="two", network=network("b"), epochs=2),
        phase("c", task="one", network=network("a"), epochs=1),
    )
    state = trained(asked)[-1]
    assert state.epochs_on_task == {"one": 4, "two": 2}
    assert state.steps_of_network == {"a": 12, "b": 6}
    assert [curve.epoch for curve in state.curves] == [1, 2, 3, 4, 5, 6]


def test_the_source_is_the_last_network_that_was_another():
    asked = recipe(
        phase("a", network=network("a")),
        phase("b", network=network("b"), reuse=("hidden1",)),
        phase("c", network=network("b"), reuse="all"),
    )
    states = trained(asked)
    assert states[1].source == {}
    np.testing.assert_array_equal(
        states[3].source["output/kernel"], states[1].weights["output/kernel"]
    )


def test_with_layers_replaces_these_layers_and_no_others():
    source = {"a/kernel": 1, "a/bias": 2, "b/kernel": 3}
    weights = {"a/kernel": 4, "a/bias": 5, "b/kernel": 6}
    found = with_layers(source, {"a": "a"}, weights)
    assert found == {"a/kernel": 4, "a/bias": 5, "b/kernel": 3}
    # A reused layer may have another label there.
    found = with_layers(source, {"b": "a"}, weights)
    assert found == {"a/kernel": 6, "a/bias": 2, "b/kernel": 3}


def test_going_on_from_a_state_is_the_same_as_never_having_stopped():
    asked = recipe(phase("a"), phase("b", reuse="all", optimizer="adam", rate=0.01))
    whole = trained(asked)
    backend = NumpyBackend(Settings(precision="float64"))
    cohort = backend.cohort(network(), DATA, 2)
    lanes = seeds_of((0, 1), STREAMS)
    again = train_phase(cohort, asked, whole[1], DATA, lanes, lambda _: None)
    assert_same(again, whole[2])


def test_the_schedule_gives_every_lane_and_step_its_rate():
    asked = recipe(
        phase(rate=0.1, schedule={"name": "power", "s": 3.0}, optimizer="momentum", epochs=2)
    )
    cohort = Scripted([[1, 1], [1, 1]])
    trained(asked, cohort=cohort)
    assert cohort.plan.rate == pytest.approx(np.tile(0.1 / (1 + np.array([3, 4, 5]) / 3), (2, 1)))
    assert (cohort.plan.momentum == 0.9).all()
    assert cohort.plan.step == 3


def test_seconds_and_epochs_are_reported_as_they_come():
    told = []
    backend = NumpyBackend(Settings())
    asked = recipe(phase())
    cohort = backend.cohort(network(), DATA, 2)
    lanes = seeds_of((0, 1), STREAMS)
    state = train_phase(cohort, asked, State.start(2), DATA, lanes, told.append)
    assert [(p.phase, p.epoch, p.epochs) for p in told] == [("train", n, 3) for n in (1, 2, 3)]
    assert all(0 <= p.valid_accuracy <= 1 for p in told)
    assert state.seconds.train > 0
    assert state.seconds.evaluate > 0


def test_compilation_is_in_no_account_of_training(monkeypatch):
    ticks = iter([0.0, 5.0, 6.0])
    monkeypatch.setattr("manyseeds.execution.phase.perf_counter", lambda: next(ticks))
    cohort = Scripted([[1.0]])
    plain_train, plain_evaluate = cohort.train, cohort.evaluate
    cohort.train = lambda plan: replace(plain_train(plan), compile_seconds=3.0)
    cohort.evaluate = lambda *a: replace(plain_evaluate(*a), compile_seconds=0.25)
    state = trained(recipe(phase(epochs=1)), [0], cohort=cohort)[-1]
    expected = SimpleNamespace(train=2.0, evaluate=0.75)
    assert vars(state.seconds) == vars(expected)
