"""The runs that a page shows: rows of different versions are never pooled without saying so."""

import pytest

from manyseeds.report.content.run_provenance import run_views
from manyseeds.report.reported_suites import reported_suites
from tests.report.synthetic import SMALL, World, write


@pytest.fixture
def trained(tmp_path):
    """Write a run of the small suite under some versions of each backend; return its ledger."""

    def run(name, change=lambda key: {}, **sessions):
        ledger = write(
            tmp_path, World(SMALL, run=name, backends=tuple(sessions), change=change, curves=False)
        )
        count = max(len(versions) for versions in sessions.values())
        ledger.write_provenance(
            {
                "versions": {"manyseeds": "0.1.0"},
                "backends": {
                    backend: {"versions": {backend: versions[number], "flax": "0.12"}}
                    for backend, versions in sessions.items()
                    if number < len(versions)
                },
            }
            for number in range(count)
        )
        return ledger

    return run


def shown(*ledgers):
    """Return, for each run, whether its page shows it, and what it says about it."""
    (reported,) = reported_suites(ledgers)
    return {view.run: (view.used, view.differences) for view in run_views(reported)}


def test_runs_under_other_versions_are_listed_not_pooled(trained):
    old, new = trained("1", jax=["0.9.2"]), trained("2", jax=["0.10.2"])
    assert shown(new, old) == {
        "1": (False, ("other versions in JAX: jax 0.9.2, here 0.10.2",)),
        "2": (True, ()),
    }
    (reported,) = reported_suites([old, new])
    assert set(reported.records["run"]) == {"2"}


def test_runs_under_the_same_versions_are_joined(trained):
    old, new = trained("1", jax=["0.9.2"]), trained("2", jax=["0.9.2"])
    assert shown(old, new) == {"1": (True, ()), "2": (True, ())}


def test_a_run_of_another_backend_does_not_hide_that_two_others_differ(trained):
    runs = [trained("1", jax=["0.9.2"]), trained("2", jax=["0.10.2"]), trained("3", pytorch=["2"])]
    assert shown(*runs) == {
        "1": (False, ("other versions in JAX: jax 0.9.2, here 0.10.2",)),
        "2": (True, ()),
        "3": (True, ()),
    }


def test_a_run_that_was_resumed_under_other_versions_says_so(trained):
    late = lambda key: {"session": 1 if key.seed < 6 else 2}  # noqa: E731
    mixed = trained("2", change=late, jax=["0.9.2", "0.10.2"])
    said = ("resumed under other versions: its rows in JAX were trained with jax 0.9.2 and 0.10.2",)
    assert shown(mixed) == {"2": (True, said)}
    pure = trained("1", jax=["0.10.2"])
    assert shown(pure, mixed)["1"] == (
        False,
        ("other versions in JAX: jax 0.10.2, here 0.9.2 and 0.10.2",),
    )


def test_a_second_session_that_trained_nothing_mixes_nothing(trained):
    run = trained("1", change=lambda key: {"session": 1}, jax=["0.9.2", "0.10.2"])
    assert shown(run) == {"1": (True, ())}


def test_a_run_without_versions_is_joined_as_before(trained):
    old, new = trained("1", jax=["0.9.2"]), trained("2", jax=["0.10.2"])
    (old.folder / "provenance.json").unlink()
    assert shown(old, new) == {"1": (True, ()), "2": (True, ())}
