"""The gate finds changes planted in the source of a backend or of the harness."""

import pytest

from manyseeds.check.baseline import Baseline
from manyseeds.check.numerics.measurement import measure
from tests.gate.plant import Plant
from tests.gate.planted import ROOT, Gate, apply, caught, recipes_for, source
from tests.gate.plants import PLANTS

FEW = (
    "Adam: β1 off by 1 %",
    "batch normalisation: unbiased variance in the moving average",
    "early stopping: patience off by one",
)


def named(name):
    (plant,) = [plant for plant in PLANTS if plant.name == name]
    return plant


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_every_plant_still_fits_the_source_and_leaves_it_valid(plant, tmp_path):
    path = tmp_path / plant.file
    path.parent.mkdir(parents=True)
    before = (ROOT / plant.file).read_text(encoding="utf-8")
    path.write_text(before, encoding="utf-8")
    apply(plant, tmp_path)
    after = path.read_text(encoding="utf-8")
    assert after != before
    compile(after, plant.file, "exec")


def test_a_plant_that_no_longer_fits_fails_loudly(tmp_path):
    (tmp_path / "a.py").write_text("one two two")
    for text in ("two", "three"):
        with pytest.raises(AssertionError, match="a plant"):
            apply(Plant("a plant", "jax", "a.py", ((text, "x"),)), tmp_path)


def test_there_are_plants_of_every_backend_and_of_the_harness():
    folders = [plant.file.split("/")[1] if "/" in plant.file else "" for plant in PLANTS]
    assert {"manyseeds_pytorch", "manyseeds_tensorflow", "manyseeds_jax"} < set(folders)
    assert any(plant.file.startswith("manyseeds/") for plant in PLANTS)
    assert len([plant for plant in PLANTS if plant.layer == "numerics"]) >= 30


@pytest.mark.slow
@pytest.mark.parametrize("name", FEW)
def test_a_planted_change_is_found(name, tmp_path):
    pytest.importorskip("torch")
    plant = named(name)
    recipes = recipes_for(plant, others=2)
    with source(None):
        Baseline(tmp_path).accept(measure([plant.backend], recipes).entries, "untouched")
    response = Gate(tmp_path).numerics(plant, recipes)
    assert caught(plant, {"numerics": response})
    assert response.compared == len(recipes)
