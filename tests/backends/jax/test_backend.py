"""The JAX backend: programs and data that later cohorts use again."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

from manyseeds.backend.task_cache import CACHED_TASKS
from manyseeds.techniques.network_streams import initial_weights
from tests.backends.jax.toy import FEATURES, SMALL, dense_network, examples, phase, plan, trained


def test_a_second_cohort_and_a_second_phase_compile_nothing(fresh):
    backend = fresh("float32")

    def tuned(alpha, rate):
        return dense_network((9, {"name": "leaky_relu", "alpha": alpha}), dropout=rate)

    def train_and_score(net, **optimizer):
        adam = phase(net, optimizer={"name": "adam"} | optimizer)
        cohort.begin(adam, initial_weights(net, FEATURES, [1, 2]))
        trace = cohort.train(plan(net, [1, 2], rate=0.01))
        scores = cohort.evaluate("valid", ("loss", "accuracy"))
        assert (trace.compile_seconds > 0) == (trace.compilations > 0)
        return trace.compilations, scores.compilations, trace.loss

    cohort = backend.cohort(tuned(0.1, 0.2), examples(SMALL), 2)
    *compiled, first = train_and_score(tuned(0.1, 0.2))
    assert compiled == [1, 1]
    *compiled, second = train_and_score(tuned(0.3, 0.5), beta1=0.5, beta2=0.7, epsilon=0.1)
    assert compiled == [0, 0]
    assert not np.allclose(first, second)
    cohort = backend.cohort(tuned(0.1, 0.2), examples(SMALL, seed=1), 2)
    assert train_and_score(tuned(0.1, 0.2))[:2] == (0, 0)
    cohort.begin(phase(tuned(0.1, 0.2)), initial_weights(tuned(0.1, 0.2), FEATURES, [1, 2]))
    assert cohort.train(plan(tuned(0.1, 0.2), [1, 2])).compilations == 1


def test_the_data_of_the_latest_tasks_stay_on_the_device(single):
    for seed in range(CACHED_TASKS + 2):
        trained(single, SMALL, [1], data=examples(SMALL, seed))
    before = single.data.cache.of(examples(SMALL, seed))
    trained(single, SMALL, [1], data=examples(SMALL, seed))
    after = single.data.cache.of(examples(SMALL, seed))
    assert len(single.data.cache) == CACHED_TASKS
    assert all(before[key] is after[key] for key in before)
