"""Calibration: hand-worked cases, and scikit-learn's own scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from manyseeds.execution.calibration import BINS, calibration


def random_classes(classes, n=200, lanes=3, seed=0):
    generator = np.random.default_rng(seed)
    return generator.dirichlet(np.ones(classes), (lanes, n)), generator.integers(0, classes, n)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_log_loss_and_brier_score_are_scikit_learns_lane_by_lane(classes):
    chances, labels = random_classes(classes)
    found = calibration(chances, labels)
    for lane, given_ in enumerate(chances):
        names = np.arange(classes)
        assert found["log_loss"][lane] == pytest.approx(log_loss(labels, given_, labels=names))
        known = brier_score_loss(labels, given_, labels=names, scale_by_half=False)
        assert found["brier"][lane] == pytest.approx(known)


def test_a_single_output_is_the_probability_of_class_1():
    chances, labels = random_classes(2)
    one, two = calibration(chances[..., 1:], labels), calibration(chances, labels)
    for name in two:
        assert one[name] == pytest.approx(two[name], rel=1e-12)
    # Scikit-learn's binary Brier score is half of the sum over both classes.
    known = [2 * brier_score_loss(labels, lane[:, 1]) for lane in chances]
    assert one["brier"] == pytest.approx(known)


def test_brier_score_and_calibration_error_worked_by_hand():
    """Three examples of three classes; 15 bins: .8 is in (.733, .8], .5 and .52 in (.467, .533]."""
    chances = np.array([[[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.28, 0.52, 0.2]]])
    found = calibration(chances, np.array([0, 1, 1]))
    squares = (0.04 + 0.01 + 0.01) + (0.25 + 0.49 + 0.04) + (0.0784 + 0.2304 + 0.04)
    assert found["brier"] == pytest.approx([squares / 3])
    # One of two right in the lower bin: |(.5 + .52) - 1|; all right in the upper: |.8 - 1|.
    assert found["ece"] == pytest.approx([(0.02 + 0.2) / 3])
    assert found["log_loss"] == pytest.approx([-np.log(0.8 * 0.3 * 0.52) / 3])


def test_certain_and_right_is_perfect_and_certain_and_wrong_is_the_worst():
    sure = np.eye(3)[[0, 1, 2, 2]][None]
    right = calibration(sure, np.array([0, 1, 2, 2]))
    assert {name: values.tolist() for name, values in right.items()} == {
        "log_loss": [0.0],
        "brier": [0.0],
        "ece": [0.0],
    }
    wrong = calibration(sure, np.array([1, 2, 0, 0]))
    assert (wrong["brier"][0], wrong["ece"][0], wrong["log_loss"][0]) == (2, 1, np.inf)


@given(seed=st.integers(0, 1000), classes=st.integers(2, 5), n=st.integers(1, 60))
def test_the_calibration_error_is_its_definition_bin_by_bin(seed, classes, n):
    chances, labels = random_classes(classes, n, 2, seed)
    found = calibration(chances, labels)["ece"]
    for lane in range(2):
        confidence = chances[lane].max(axis=1)
        right = chances[lane].argmax(axis=1) == labels
        expected = 0.0
        for low in np.arange(BINS) / BINS:
            inside = (confidence > low) & (confidence <= low + 1 / BINS)
            if inside.any():
                gap = abs(confidence[inside].mean() - right[inside].mean())
                expected += gap * inside.mean()
        assert found[lane] == pytest.approx(expected, abs=1e-12)


def test_a_lane_of_nan_leaves_the_others_as_they_are():
    chances, labels = random_classes(4)
    clean = calibration(chances, labels)
    chances[1] = np.nan
    found = calibration(chances, labels)
    for name, values in found.items():
        assert np.isnan(values[1])
        np.testing.assert_array_equal(values[[0, 2]], clean[name][[0, 2]])
