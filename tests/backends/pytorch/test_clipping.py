"""PyTorch's clipping and constraints, against closed forms and PyTorch's own functions."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from manyseeds.techniques import clipping as clippings

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch.clipping import clipped, constrained  # noqa: E402
from tests.backends.pytorch.penalty_toy import a_network, some_weights  # noqa: E402
from tests.backends.pytorch.tile_toy import tensors, tile_of  # noqa: E402

EXAMPLE = [0.9, 100.0]


def clip(gradients, **fields):
    clipping = TypeAdapter(clippings.Clipping).validate_python(fields)
    (hook,) = clipped(clipping)
    tensors_ = [torch.tensor(gradient, dtype=torch.float64) for gradient in gradients]
    hook(tile_of([], tensors_))
    return [value.numpy() for value in tensors_]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clip_value", [0.9, 1.0]),
        ("clip_norm", [0.00899964, 0.9999595]),
        ("global_clip_norm", [0.00899964, 0.9999595]),
    ],
)
def test_clipping_is_the_chapters_example_in_every_lane(name, expected):
    small = [0.3, -0.4]
    (gradient,) = clip([[[EXAMPLE], [small], [[0.0, 0.0]]]], name=name, limit=1.0)
    np.testing.assert_allclose(gradient[0, 0], expected, rtol=1e-6)
    np.testing.assert_array_equal(gradient[1:], [[small], [[0.0, 0.0]]])


def test_clip_norm_is_per_variable_and_global_clip_norm_is_not():
    gradients = [[[[3.0, 4.0]]], [[[0.0, 12.0]]]]
    one, other = clip(gradients, name="clip_norm", limit=6.5)
    np.testing.assert_allclose([one[0, 0], other[0, 0]], [[3, 4], [0, 6.5]], rtol=1e-15)
    one, other = clip(gradients, name="global_clip_norm", limit=6.5)
    np.testing.assert_allclose([one[0, 0], other[0, 0]], [[1.5, 2], [0, 6]], rtol=1e-15)


def test_global_clip_norm_of_one_lane_is_torch_nn_utils():
    gradients = tensors(3, [(1, 4, 5), (1, 1, 4)])
    parameters = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    torch.nn.utils.clip_grad_norm_(parameters, 0.5)
    for mine, theirs in zip(
        clip([g.numpy() for g in gradients], name="global_clip_norm", limit=0.5),
        parameters,
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs.grad, rtol=1e-5)  # Theirs adds 1e-6 to the norm.


@pytest.mark.parametrize("name", ["clip_value", "clip_norm", "global_clip_norm"])
def test_a_nan_lane_is_clipped_alone(name):
    gradients = [value.numpy() for value in tensors(5)]
    poisoned = [value.copy() for value in gradients]
    poisoned[0][1] = np.nan
    for well, with_nan in zip(
        clip(gradients, name=name, limit=0.1), clip(poisoned, name=name, limit=0.1), strict=True
    ):
        np.testing.assert_array_equal(with_nan[[0, 2]], well[[0, 2]])


def test_max_norm_rescales_the_incoming_weights_of_each_unit():
    weights = some_weights()
    before = weights["hidden1/kernel"].numpy().copy()
    (hook,) = constrained(a_network(max_norm={"radius": 1.5}), weights, keep_zeros=False)
    hook(tile_of(weights.values()))
    norms = np.linalg.norm(before, axis=2, keepdims=True)
    assert (norms > 1.5).any()
    assert (norms < 1.5).any()
    after = weights["hidden1/kernel"].numpy()
    np.testing.assert_allclose(after, before * np.minimum(1, 1.5 / norms), rtol=1e-14)
    units = torch.renorm(torch.tensor(before).flatten(0, 1), 2, 0, 1.5).view(after.shape)
    np.testing.assert_allclose(after, units, rtol=1e-6)  # Theirs adds 1e-7 to the norm.


def test_zeros_are_restored_in_kernels_alone():
    weights = some_weights()
    weights["hidden1/bias"][:] = 0.0
    (hook,) = constrained(a_network(), weights, keep_zeros=True)
    torch._foreach_add_(list(weights.values()), 1.0)
    hook(tile_of([value[1:3] for value in weights.values()], lanes=slice(1, 3)))
    kernel = weights["hidden1/kernel"].numpy()
    np.testing.assert_array_equal(kernel[:, 0, 0], [1, 0, 0])
    assert np.count_nonzero(kernel) == kernel.size - 2
    assert (weights["hidden1/bias"] == 1).all()
