"""PyTorch's penalties, against closed forms."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch.penalties import Penalties, has_penalty  # noqa: E402
from tests.backends.pytorch.device_toy import LOOPS  # noqa: E402
from tests.backends.pytorch.penalty_toy import a_network, some_weights  # noqa: E402
from tests.backends.pytorch.tile_toy import tile_of  # noqa: E402


@pytest.mark.parametrize(
    ("penalty", "value", "slope"),
    [
        ({"name": "l1", "l1": 0.3}, lambda w: 0.3 * np.abs(w), lambda w: 0.3 * np.sign(w)),
        ({"name": "l2", "l2": 0.2}, lambda w: 0.2 * w * w, lambda w: 0.4 * w),
        (
            {"name": "l1_l2", "l1": 0.3, "l2": 0.2},
            lambda w: 0.3 * np.abs(w) + 0.2 * w * w,
            lambda w: 0.3 * np.sign(w) + 0.4 * w,
        ),
    ],
)
def test_penalty_is_its_closed_form_and_flat_at_zero(penalty, value, slope):
    weights = some_weights()
    penalties = Penalties(a_network(penalty=penalty), weights, weights, LOOPS.add_penalty)
    gradients = [torch.zeros_like(weight) for weight in weights.values()]
    (hook,) = penalties.hooks()
    hook(tile_of(weights.values(), gradients))
    kernel = weights["hidden1/kernel"].numpy()
    np.testing.assert_allclose(penalties.value, value(kernel).sum((1, 2)), rtol=1e-13)
    np.testing.assert_allclose(gradients[0], slope(kernel), rtol=1e-14)
    assert all((gradient == 0).all() for gradient in gradients[1:])
    assert (gradients[0][:, 0, 0] == 0).all()


def test_a_frozen_kernel_has_its_penalty_but_no_gradient():
    weights = some_weights()
    trained = {name: value for name, value in weights.items() if name.startswith("output")}
    penalties = Penalties(a_network(penalty="l2"), weights, trained, LOOPS.add_penalty)
    expected = 0.01 * (weights["hidden1/kernel"] ** 2).sum((1, 2))
    np.testing.assert_allclose(penalties.value, expected, rtol=1e-13)
    assert penalties.hooks() == []
    assert has_penalty(a_network(penalty="l2"))
    assert not has_penalty(a_network())
    assert Penalties(a_network(), weights, weights, LOOPS.add_penalty).value is None
