"""Training from a request: what the data alone can tell is checked before anything is promised."""

import pytest

SCRATCH = '[phases.scratch]\ntask = "target"\nnetwork = "target"\nepochs = 2\n'


@pytest.mark.parametrize(
    ("schedule", "epochs", "batch", "status"),
    [
        ("one_cycle", 1, 32, 2),  # of 64 examples: 2 steps
        ("one_cycle", 2, 64, 2),
        ("one_cycle", 1, 30, 0),  # 3 steps
        ("one_cycle", 3, 64, 0),
        ("constant", 1, 64, 0),
    ],
)
def test_one_cycle_that_would_never_reach_its_rate_is_refused(
    manyseeds, tiny, tmp_path, schedule, epochs, batch, status
):
    phase = SCRATCH.replace("epochs = 2", f"epochs = {epochs}\nbatch = {batch}")
    suite = tiny((SCRATCH, f'{phase}schedule = "{schedule}"\n'))
    results = tmp_path / "results"
    answer = manyseeds(
        "run", suite, "--recipe", "scratch", "--backend", "numpy", "--results", results
    )
    assert answer.status == status
    if status:
        assert "phase 'scratch': the schedule 'one_cycle' reaches its rate from 3 steps on" in (
            answer.err
        )
        assert f"{epochs} epochs of 64 examples in batches of {batch} have 2" in answer.err
        assert not results.exists()


@pytest.mark.parametrize(
    "change",
    [
        (),
        (("Small enough for a test", "Another suite of the same name"),),
        (('name = "tiny"', 'name = "Tiny"'),),
    ],
)
def test_two_suites_of_one_name_are_refused_before_anything_is_written(
    change, tiny, manyseeds, tmp_path
):
    first, second = tiny(), tiny(*change, name="second.toml")
    results = tmp_path / "results"
    answer = manyseeds("run", first, second, "--backend", "numpy", "--results", results)
    assert answer.status == 2
    assert "two suites are called 'tiny'" in answer.err
    assert not results.exists()
