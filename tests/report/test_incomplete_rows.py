"""The banner names every curve and every diagnosis that a training should have left."""

from dataclasses import replace

import pytest
import synthetic
from synthetic import SMALL, World

from manyseeds.report.content.incomplete_rows import incomplete
from manyseeds.report.reported_suites import reported_suites

WORLD = World(text=SMALL, backends=("jax",))


def lines(tmp_path, world):
    (reported,) = reported_suites([synthetic.write(tmp_path, world)])
    return incomplete(reported)


def test_a_whole_run_has_no_banner(tmp_path):
    assert lines(tmp_path, WORLD) == ()


def test_a_training_that_ended_without_a_curve_is_named(tmp_path):
    ledger = synthetic.write(tmp_path, WORLD)
    lost = [job for job in ledger.plan.jobs if job.recipe == "scratch"]
    for job in lost:
        (file,) = ledger.folder.glob(f"curves/{job.id:05d}-*.parquet")
        file.unlink()
    (reported,) = reported_suites([ledger])
    (line,) = incomplete(reported)
    assert line.startswith("The ledger has no curve of 14 trainings that ended")
    assert "scratch in JAX: 14" in line


def test_a_row_that_failed_needs_no_curve(tmp_path):
    def change(key):
        return {"status": "failed", "reason": "it broke"} if key.seed == 3 else {}

    found = lines(tmp_path, replace(WORLD, change=change, curves=False))
    assert found[0] == "26 of 28 promised rows were delivered: 2 failed."
    assert not any("curve" in line for line in found)


@pytest.mark.parametrize("phase", ["diagnostics = true", 'schedule = "range_test"'])
def test_missing_diagnostics_are_named_where_the_recipe_records_them(tmp_path, phase):
    text = SMALL.replace("rate = 1e-3", f"rate = 1e-3\n{phase}")
    (line,) = lines(tmp_path, replace(WORLD, text=text))
    assert line.startswith("The ledger has no diagnostics of 28 trainings that ended")
