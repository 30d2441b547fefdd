"""Parity: a recipe is the same training in NumPy and in every framework that is installed.

Gradients by hand against those of three frameworks, step by step in float64.
"""

import itertools
import sys

import pytest

from manyseeds.backend.discovery import absence, backend_entries
from manyseeds.conformance.comparison import compare
from manyseeds.conformance.mutations import mutations
from manyseeds.conformance.process import trajectories
from manyseeds.conformance.recipes import parity_recipes
from manyseeds.processes.worker_process import Worker

RECIPES = parity_recipes()
MUTATIONS = mutations(RECIPES)
FEW = {name: RECIPES[name] for name in ("relu_nesterov_exponential", "selu_dropout_sgd")}
INSTALLED = [name for name, entry in backend_entries().items() if not absence(entry)]
PAIRS = [
    pytest.param(*pair, id=" and ".join(pair)) for pair in itertools.combinations(INSTALLED, 2)
]


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """Follow a few recipes for 20 steps, each backend once, when it is first asked for."""
    found = {}

    def follow(backend):
        if backend not in found:
            folder = tmp_path_factory.mktemp(backend)
            found[backend] = trajectories(backend, FEW, 3, 20, "cpu", folder)
        return found[backend]

    return follow


@pytest.fixture(scope="module")
def followed_whole(tmp_path_factory):
    """Follow every recipe and every mutation for 60 steps."""
    found = {}
    requests = RECIPES | {mutation.name: mutation.mutated for mutation in MUTATIONS}

    def follow(backend):
        if backend not in found:
            folder = tmp_path_factory.mktemp(backend)
            found[backend] = trajectories(backend, requests, 3, 60, "cpu", folder)
        return found[backend]

    return follow


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone counts mappings")
def test_a_process_that_can_map_little_more_memory_leaves_the_rest_to_another(
    tmp_path, monkeypatch
):
    phase = FEW["selu_dropout_sgd"].phases[0].name
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", f"crowd:{phase}:0")
    recipes = dict.fromkeys(("one", "other"), FEW["selu_dropout_sgd"])
    started, start = [], Worker.start

    def noted(*arguments, **options):
        started.append(start(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(Worker, "start", noted)
    found = trajectories("numpy", recipes, 3, 2, "cpu", tmp_path)
    assert list(found) == ["one", "other"]
    assert compare(found["one"], found["other"]).error == 0
    assert len(started) == 2


def test_numpy_is_among_the_backends_compared():
    assert "numpy" in INSTALLED
    assert PAIRS


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("recipe", FEW)
def test_a_recipe_is_the_same_training_on_two_backends(followed, recipe, ours, theirs):
    found = compare(followed(ours)[recipe], followed(theirs)[recipe])
    assert found.same, found


@pytest.mark.slow
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_the_same_for_60_steps(followed_whole, recipe, ours, theirs):
    found = compare(followed_whole(ours)[recipe], followed_whole(theirs)[recipe])
    assert found.same, found


@pytest.mark.slow
@pytest.mark.parametrize("backend", INSTALLED)
def test_every_mutation_is_caught(followed_whole, backend):
    other = next(name for name in INSTALLED if name != backend)
    mutated, plain = followed_whole(backend), followed_whole(other)
    missed = [m.name for m in MUTATIONS if compare(mutated[m.name], plain[m.recipe]).same]
    assert missed == []
