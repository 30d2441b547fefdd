"""PyTorch's lanes and tiles with every technique."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from tests.backends.pytorch.distance import distance  # noqa: E402
from tests.backends.pytorch.technique_toy import (  # noqa: E402
    AUGMENTATION,
    FAMILIAR,
    a_network,
    a_phase,
    a_plan,
    begun,
    first_weights,
)

PHASES = {
    "clip_norm": {"optimizer": "momentum", "clipping": {"name": "clip_norm", "limit": 0.2}},
    "global_clip_norm": {"optimizer": "nadam", "clipping": "global_clip_norm"},
    "clip_value": {"clipping": {"name": "clip_value", "limit": 0.05}},
    "ftrl": {"optimizer": {"name": "ftrl", "l1": 1e-3}, "keep_zeros": True},
    "augmentation": {"optimizer": "adamax", "augmentation": AUGMENTATION},
    "frozen": {"optimizer": "rmsprop", "frozen": ("hidden1", "batch_norm1")},
}


@pytest.mark.parametrize("name", ["clip_norm", "global_clip_norm", "augmentation"])
def test_a_lane_does_not_depend_on_the_others(double, name):
    phase = a_phase(a_network(), **PHASES[name])
    plan = a_plan(phase, 9, epochs=18, rate=0.01)  # Two groups, 4 and 5, if there are threads.
    assert plan.step_count >= 60
    many = begun(double, phase, 9)
    trace = many.train(plan)
    alone = begun(double, phase, 1, first_weights(phase.network, 1, seed=6))
    lone = alone.train(a_plan(phase, 1, epochs=18, rate=0.01, seed=6))
    lane = {variable: value[6:7] for variable, value in many.weights().items()}
    assert distance(lane, alone.weights()) <= 1e-9
    np.testing.assert_allclose(trace.penalty[6], lone.penalty[0], rtol=1e-9)


@pytest.mark.parametrize("name", [*PHASES, "adam", "smooth_ftrl", "nesterov"])
def test_kernels_updated_tile_by_tile_in_the_backward_pass_are_those_updated_after_it(
    double, name, monkeypatch
):
    # The last smaller batch, changing rates, penalties, drop connect and constraints included.
    phase = a_phase(a_network(), **PHASES.get(name, {"optimizer": name.removeprefix("smooth_")}))
    if name == "smooth_ftrl":
        phase = a_phase(a_network(FAMILIAR, penalty="l1_l2"), optimizer="ftrl")
    plan = a_plan(phase, 5, epochs=4)
    rates = np.random.default_rng(2).uniform(0.01, 0.1, plan.rate.shape)
    rates[:, ::2] = rates[:1, ::2]  # One rate for all lanes, and a rate for each.
    results = []
    for tile in (1, 700, 1 << 20):  # One lane of every kernel, a few of some, all.
        monkeypatch.setattr("manyseeds_pytorch.lanes._TILE_BYTES", tile)
        cohort = begun(double, phase, 5)
        trace = cohort.train(replace(plan, rate=rates))
        results.append({"loss": trace.loss, "penalty": trace.penalty, **cohort.weights()})
    *early, late = results
    assert max(distance(one, late) for one in early) <= 1e-9


@pytest.mark.parametrize("tile", [1, 700, 1 << 20])
@pytest.mark.parametrize("name", PHASES)
def test_a_nan_lane_leaves_the_others_bit_identical(single, name, tile, monkeypatch):
    monkeypatch.setattr("manyseeds_pytorch.lanes._TILE_BYTES", tile)
    phase = a_phase(a_network(), **PHASES[name])
    plan = a_plan(phase, 4, epochs=2)
    weights = first_weights(phase.network, 4)
    poisoned = {name: value.copy() for name, value in weights.items()}
    poisoned["output/kernel"][2] = np.nan
    healthy, with_nan = begun(single, phase, 4, weights), begun(single, phase, 4, poisoned)
    whole, trace = healthy.train(plan), with_nan.train(plan)
    others = [0, 1, 3]
    assert np.isnan(trace.loss[2]).all()
    for one, other in ((trace.loss, whole.loss), (trace.penalty, whole.penalty)):
        np.testing.assert_array_equal(one[others], other[others])
    after = with_nan.weights()
    for variable, value in healthy.weights().items():
        np.testing.assert_array_equal(after[variable][others], value[others])
