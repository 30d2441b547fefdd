"""The sessions of a run: a resume under other versions is refused unless it is asked for."""

import shlex

import pytest

from manyseeds.errors import RequestError
from manyseeds.execution import sessions as module
from manyseeds.execution.sessions import Sessions
from manyseeds.ledger.ledger import Ledger
from tests.ledger.small_run import plan


@pytest.fixture
def run(tmp_path):
    return Ledger.create(tmp_path / "my results", plan())


@pytest.fixture
def opened(run, monkeypatch):
    """Begin a session with some versions of manyseeds and of a backend; return it."""

    def begin(jax="0.9.2", manyseeds="0.1.0", other_versions=False, **environment):
        facts = {"versions": {"manyseeds": manyseeds}, "backends": {}}
        monkeypatch.setattr(module, "session", lambda _: facts)
        sessions = Sessions(run, [], other_versions=other_versions)
        sessions.open(
            "jax", {"versions": {"jax": jax, "flax": "0.12"}, "device": "cpu"} | environment
        )
        return sessions

    return begin


def versions(run):
    return [
        {name: environment["versions"]["jax"] for name, environment in entry["backends"].items()}
        for entry in run.provenance
    ]


def test_the_same_versions_go_on_as_another_session(run, opened):
    assert opened().number == 1
    assert opened(device="cuda").number == 2  # another machine is no other version
    assert versions(run) == [{"jax": "0.9.2"}, {"jax": "0.9.2"}]


def test_other_versions_are_refused_with_package_then_now_and_the_option(run, opened):
    opened()
    with pytest.raises(RequestError, match="under other versions") as refused:
        opened(jax="0.10.2", manyseeds="0.2.0")
    message = str(refused.value)
    assert (
        "on jax under other versions: jax 0.9.2, now 0.10.2; manyseeds 0.1.0, now 0.2.0." in message
    )
    assert "flax" not in message
    command = message.split("which versions): ")[1]
    folder = str(run.folder.parent)
    expected = ["run", "--resume", "tiny-1", "--results", folder, "--other-versions"]
    assert shlex.split(command) == ["manyseeds", *expected]
    assert versions(run) == [{"jax": "0.9.2"}]  # a refused session has trained nothing


def test_other_versions_that_are_asked_for_are_another_session(run, opened):
    opened()
    assert opened(jax="0.10.2", other_versions=True).number == 2
    assert opened(jax="0.10.2").number == 3
    with pytest.raises(RequestError, match=r"jax 0\.10\.2, now 0\.9\.2"):
        opened()


def test_an_update_while_the_run_trains_is_noticed(run, opened):
    sessions = opened()
    updated = {"versions": {"jax": "0.10.2", "flax": "0.12"}, "device": "cpu"}
    with pytest.raises(RequestError, match=r"jax 0\.9\.2, now 0\.10\.2"):
        sessions.open("jax", updated)
    allowed = opened(other_versions=True)
    assert allowed.number == 2
    assert allowed.open("jax", updated)
    assert not allowed.open("jax", updated)
    assert allowed.number == 3
    assert versions(run) == [{"jax": "0.9.2"}, {"jax": "0.9.2"}, {"jax": "0.10.2"}]


# ---------------------------------------------------------------- the command line


@pytest.fixture
def faults(monkeypatch, tmp_path):
    """Ask the NumPy backend for faults; return the phases that are trained from then on."""
    trace = tmp_path / "trace"
    monkeypatch.setenv("MANYSEEDS_NUMPY_TRACE", str(trace))

    def ask(text):
        trace.write_text("")
        monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", text)
        return lambda: {line.split()[0] for line in trace.read_text().splitlines()}

    return ask


@pytest.fixture
def interrupted(manyseeds, tiny, tmp_path, faults):
    """A run under NumPy 1.0 whose rows of `transfer` failed after the phase `pretrain`."""
    results = tmp_path / "results"
    faults("version:1.0 raise:frozen:0")
    assert manyseeds("run", tiny(), "--backend", "numpy", "--results", results).status == 1
    (folder,) = results.iterdir()
    return Ledger.open(folder)


@pytest.fixture
def resume(manyseeds, interrupted):
    name, results = interrupted.folder.name, interrupted.folder.parent
    return lambda *more: manyseeds("run", "--resume", name, "--results", results, *more)


def test_a_resume_under_other_versions_is_refused_and_leaves_no_trace(interrupted, resume, faults):
    phases, before = faults("version:2.0"), interrupted.delivered()
    answer = resume()
    assert answer.status == 2
    assert "on numpy under other versions: numpy 1.0, now 2.0." in answer.err
    assert phases() == set()
    assert interrupted.delivered().equals(before)
    assert len(interrupted.provenance) == 1


def test_other_versions_train_shared_phases_again_and_each_record_names_its_session(
    interrupted, resume, faults
):
    phases = faults("version:2.0")
    assert resume("--other-versions").status == 0
    assert phases() == {"pretrain", "frozen", "finetune"}
    records = interrupted.records()
    sessions = records.groupby("recipe", sort=False)["session"].unique().map(list).to_dict()
    assert sessions == {"scratch": [1], "transfer": [2], "never_freeze": [1]}
    assert [s["backends"]["numpy"]["versions"]["numpy"] for s in interrupted.provenance] == [
        "1.0",
        "2.0",
    ]


def test_the_same_versions_go_on_from_the_checkpoint(interrupted, resume, faults):
    phases = faults("version:1.0")
    assert resume().status == 0
    assert phases() == {"frozen", "finetune"}


def test_the_option_is_for_a_resume(manyseeds, tiny, tmp_path):
    answer = manyseeds("run", tiny(), "--other-versions", "--results", tmp_path / "results")
    assert answer.status == 2
    assert "--other-versions is for a run to continue: name it with --resume" in answer.err
