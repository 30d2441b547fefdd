"""Early stopping: each lane stops for itself, and ends with the weights of its best epoch."""

import numpy as np
import pytest

from manyseeds.techniques.early_stopping import EarlyStopping
from tests.execution.small_training import Scripted, phase, recipe, trained


def scripted(losses, patience=2, restore_best=True, train_loss=None):
    """Train with early stopping on given validation losses [epochs, lanes]."""
    losses = np.array(losses, dtype=float)
    rule = EarlyStopping(patience=patience, restore_best=restore_best)
    cohort = Scripted(losses, train_loss)
    asked = recipe(phase(epochs=len(losses), early_stopping=rule))
    return trained(asked, range(losses.shape[1]), cohort=cohort)[-1], cohort


def ends_with(state):
    """Return the epoch whose weights each lane ends with, as the scripted cohort tells."""
    return state.weights["hidden1/kernel"][:, 0].tolist()


def test_each_lane_stops_for_itself_and_ends_with_its_best_epoch():
    state, cohort = scripted([[3, 3], [2, 4], [2.5, 5], [2.6, 1], [0, 0.5], [0, 0.4]])
    # Lane 0 waits for two epochs after its best, 2; what it would reach later is never seen.
    # Lane 1 has waited for two after epoch 1 as well: it stops before its 1.
    assert state.best_epoch.tolist() == [2, 1]
    assert ends_with(state) == [2, 1]
    assert cohort.epochs == 4
    assert set(cohort.asked) == {"valid"}


def test_a_lane_goes_on_while_it_improves_though_others_have_stopped():
    state, cohort = scripted([[1, 9], [2, 8], [2, 7], [2, 6], [2, 5]])
    assert state.best_epoch.tolist() == [1, 5]
    assert ends_with(state) == [1, 5]
    assert cohort.epochs == 5
    valid = np.array([curve.values["valid_loss"] for curve in state.curves])
    assert np.isfinite(valid).sum(axis=0).tolist() == [3, 5]


def test_without_restoring_a_lane_ends_as_it_was_when_it_stopped():
    state, _ = scripted([[1, 9], [2, 8], [2, 7], [2, 6], [2, 5]], restore_best=False)
    assert state.best_epoch.tolist() == [3, 5]
    assert ends_with(state) == [3, 5]


@pytest.mark.parametrize("restore_best", [True, False])
def test_early_stopping_leaves_a_lane_as_it_would_be_alone(restore_best):
    rule = EarlyStopping(patience=1, restore_best=restore_best)
    asked = recipe(phase(epochs=30, rate=1.5, early_stopping=rule))
    seeds = range(6)
    together = trained(asked, seeds)[-1]
    stopped = set()
    for lane, seed in enumerate(seeds):
        alone = trained(asked, [seed])[-1]
        stopped.add(len(alone.curves))
        assert alone.best_epoch[0] == together.best_epoch[lane]
        for name in alone.weights:
            np.testing.assert_array_equal(alone.weights[name][0], together.weights[name][lane])
    assert len(stopped) > 1  # they did stop at different epochs


def test_an_equal_loss_is_no_improvement():
    state, cohort = scripted([[1], [1], [1], [1]])
    assert state.best_epoch.tolist() == [1]
    assert cohort.epochs == 3


def test_a_lane_that_diverges_is_told_apart_and_the_others_go_on():
    losses = [[3, 3], [np.nan, 2], [1, 1], [0.5, 0.5]]
    state, cohort = scripted(losses, patience=5, restore_best=False)
    assert state.diverged == ("loss not finite from epoch 2, phase 'train' on", "")
    assert cohort.epochs == 4


@pytest.mark.parametrize("diverges", ["training", "validation"])
def test_a_lane_that_diverges_after_its_best_epoch_ends_with_that_and_is_ok(diverges):
    nan = np.nan if diverges == "validation" else 1
    train_loss = [[1, 1], [1, 1], [np.inf, 1], [np.inf, 1]] if diverges == "training" else None
    losses = [[3, 3], [2, 2], [nan, 1], [nan, 0.5]]
    state, cohort = scripted(losses, patience=5, train_loss=train_loss)
    assert state.diverged == ("", "")
    assert cohort.epochs == 4
    assert ends_with(state) == [2, 4]  # the best before; what comes after is not looked at
    assert state.best_epoch.tolist() == [2, 4]


def test_a_lane_that_diverges_in_its_first_epoch_has_nothing_to_end_with():
    state, _ = scripted([[np.nan, 3], [1, 2]], patience=5)
    assert state.diverged == ("loss not finite from epoch 1, phase 'train' on", "")


def test_a_lane_that_was_restored_goes_on_in_the_next_phase():
    rule = EarlyStopping(patience=5)
    asked = recipe(
        phase("pretrain", epochs=3, early_stopping=rule),
        phase("train", epochs=2, reuse=("hidden1",)),
    )
    cohort = Scripted([[3, 3], [2, 2], [np.nan, 1], [2, 2], [1, 1]])
    state = trained(asked, (0, 1), cohort=cohort)[-1]
    assert state.diverged == ("", "")
    valid = np.array([curve.values["valid_loss"] for curve in state.curves])
    assert np.isfinite(valid[-2:]).all()  # both lanes train in the second phase


def test_an_infinite_training_loss_is_divergence_though_validation_looks_fine():
    state, _ = scripted([[1, 1], [1, 1]], patience=9, train_loss=[[1, np.inf], [1, 1]])
    assert state.diverged == ("", "loss not finite from epoch 1, phase 'train' on")


def test_training_ends_when_every_lane_has_diverged():
    losses = [[np.nan, 1], [1, np.inf], [1, 1]]
    state, cohort = scripted(losses, patience=9, restore_best=False)
    assert cohort.epochs == 2
    assert all(state.diverged)
