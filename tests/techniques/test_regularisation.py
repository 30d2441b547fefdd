"""Pruning: the weights that become zero, lane by lane."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from manyseeds.execution.phase import pruned
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques.regularisation import MagnitudePruning, Threshold

KERNELS = arrays.arrays(
    np.float64,
    st.tuples(*[st.integers(1, 5)] * 3),
    elements=st.sampled_from([-2, -1, 0, 0.5, 1, 2]),
)


def test_a_threshold_keeps_weights_of_its_size_and_prunes_smaller_ones():
    kernel = np.array([[[0.1, -0.1, 0.0999, -0.2, 0.0]]])
    assert Threshold(least=0.1).keep_mask(kernel).tolist() == [[[True, True, False, True, False]]]


def test_magnitude_pruning_worked_by_hand_with_ties():
    """Half of six are pruned: 0, the .1, and the first, row by row, of the three of size .5."""
    kernel = np.array([[[0.5, -2.0, 0.1], [-0.5, 0.0, 0.5]]])
    kept = MagnitudePruning(share=0.5).keep_mask(kernel)
    assert kept.tolist() == [[[False, True, False], [True, False, True]]]


@given(kernel=KERNELS, share=st.floats(0, 0.99))
def test_magnitude_pruning_removes_the_stated_share_of_each_lane_the_smallest_first(kernel, share):
    kept = MagnitudePruning(share=share).keep_mask(kernel)
    size = kernel[0].size
    for lane, stays in zip(np.abs(kernel), kept, strict=True):
        assert (~stays).sum() == round(share * size)
        if stays.any() and not stays.all():
            assert lane[~stays].max() <= lane[stays].min()


@given(kernel=KERNELS, share=st.floats(0, 0.99))
def test_a_lane_is_pruned_as_if_alone(kernel, share):
    for rule in (MagnitudePruning(share=share), Threshold(least=0.7)):
        together = rule.keep_mask(kernel)
        for lane in range(len(kernel)):
            np.testing.assert_array_equal(
                rule.keep_mask(kernel[lane : lane + 1])[0], together[lane]
            )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_only_kernels_are_pruned_and_they_keep_their_precision(dtype):
    output = {"name": "dense", "units": 1, "activation": "logistic"}
    phase = Phase(
        name="train",
        task=Task(name="t", dataset="digits"),
        network={"name": "net", "layers": ("batch_norm", output)},
        epochs=1,
        rate=0.1,
        pruning={"name": "threshold", "least": 1.0},
    )
    shapes = phase.network.shapes(3)
    weights = {name: np.full((2, *shape), 0.5, dtype) for name, shape in shapes.items()}
    found = pruned(phase, weights)
    assert not found["output/kernel"].any()
    assert found["output/kernel"].dtype == dtype
    assert all((found[name] == 0.5).all() for name in shapes if name != "output/kernel")
    assert pruned(phase.model_copy(update={"pruning": None}), weights) is weights
