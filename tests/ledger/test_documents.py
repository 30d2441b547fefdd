"""The documents of a run: a field that cannot be true is named, and none leads out of the run."""

import json
import os

import pytest

from manyseeds.errors import RequestError, RunError
from manyseeds.ledger import documents
from manyseeds.ledger.documents import MOST_PLAN_BYTES, MOST_PROVENANCE_BYTES
from manyseeds.ledger.ledger import Ledger
from manyseeds.suite.files import read_suite
from tests.ledger.small_run import append, plan


@pytest.fixture
def run(tmp_path):
    return Ledger.create(tmp_path / "results", plan())


def edited(run, change):
    """Change a run's plan.json, as an editor would."""
    path = run.folder / "plan.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


def job(**fields):
    return lambda document: document["jobs"][1].update(fields)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: d.update(suite_text=d["suite_text"] + "\n"), "suite_text: its SHA-256 is"),
        (lambda d: d.update(suite_sha256="ab" * 32), "suite_text: its SHA-256 is"),
        (lambda d: d.update(run="../../escaped"), "run: '../../escaped': files are named after"),
        (lambda d: d.update(run=".."), "run: '..': files are named after"),
        (lambda d: d.update(threads=0), "threads: 0: expected at least 1"),
        (lambda d: d.update(device="gpu"), "device: Input should be"),
        (lambda d: d.update(more=1), "more: Extra inputs"),
        (job(backend="../../../escaped"), r"jobs\[1\].backend: '../../../escaped': files"),
        (job(backend=""), r"jobs\[1\].backend: '': files are named after"),
        (job(id=0), r"jobs\[1\].id: 0: expected 1, the job's place"),
        (job(vary="innit"), r"jobs\[1\].vary: unknown stream 'innit'. Did you mean 'init'"),
        (job(seeds=[2, -3]), r"jobs\[1\].seeds: expected numbers from 0 to"),
        (job(seeds=[2, 2**63]), r"jobs\[1\].seeds: expected numbers from 0 to"),
        (job(seeds=[1, 2]), r"jobs\[1\].seeds: a row that is promised twice"),
        (job(seeds=[2, "3"]), r"jobs.1.seeds.1: Input should be a valid integer"),
    ],
)
def test_a_plan_that_cannot_be_true_is_an_error_that_names_the_field(run, change, problem):
    path = edited(run, change)
    with pytest.raises(RunError, match=f"is damaged at {problem}") as refused:
        Ledger.open(run.folder)
    assert str(refused.value).startswith(str(path))
    assert "Restore it from version control or a backup" in str(refused.value)


def test_a_plan_has_no_more_rows_than_can_be_read(run, monkeypatch):
    monkeypatch.setattr(documents, "MOST_ROWS", 3)
    with pytest.raises(RunError, match="jobs: 4 rows, and a plan has 3 at most"):
        Ledger.open(run.folder)
    with pytest.raises(RequestError, match="jobs: 4 rows, and a plan has 3 at most"):
        Ledger.create(run.folder.parent, plan(run="other"))
    assert not (run.folder.parent / "other").exists()


@pytest.mark.parametrize(
    ("name", "most"),
    [("plan.json", MOST_PLAN_BYTES), ("provenance.json", MOST_PROVENANCE_BYTES)],
)
def test_a_document_larger_than_it_can_be_is_not_read(run, name, most):
    with (run.folder / name).open("ab") as file:
        file.truncate(most + 1)  # sparse: it takes no room
    with pytest.raises(RunError, match=f"{name} has {most + 1:,} bytes, .* {most:,} at most"):
        _ = Ledger.open(run.folder).provenance


@pytest.mark.parametrize("name", ["plan.json", "provenance.json"])
def test_json_within_json_within_json_is_damage(run, name):
    (run.folder / name).write_text("[" * 100_000)
    with pytest.raises(RunError, match=f"{name} is damaged"):
        _ = Ledger.open(run.folder).provenance


@pytest.mark.parametrize(
    ("sessions", "place"),
    [
        ([{"backends": []}], "0.backends"),
        ([{"backends": {"jax": {"versions": {"jax": 7}}}}], "0.backends.jax.versions.jax"),
        ([{"versions": "all"}], "0.versions"),
        ([{}, {"datasets": {"digits": None}}], "1.datasets.digits"),
        ([{"started": 20260101}], "0.started"),
        (["session"], "0"),
    ],
)
def test_a_provenance_that_cannot_be_true_is_an_error_that_names_the_field(run, sessions, place):
    (run.folder / "provenance.json").write_text(json.dumps(sessions))
    with pytest.raises(RunError, match=rf"provenance\.json is damaged at {place}: "):
        _ = run.provenance


def test_a_plan_that_contradicts_its_suite_is_an_error(tmp_path, tiny):
    file = read_suite(str(tiny()))
    small = plan().model_copy(
        update={"suite_text": file.text, "suite_sha256": file.sha256, "suite": "tiny"}
    )
    assert Ledger.create(tmp_path, small).suite.name == "tiny"
    for change, problem in [
        ({"suite": "other"}, "suite 'other' by 'test_accuracy', where the suite's text has 'tiny'"),
        ({"primary": "test_loss"}, "suite 'tiny' by 'test_loss', where"),
        (
            {"jobs": tuple(one.model_copy(update={"recipe": "x"}) for one in small.jobs)},
            "job 0 has recipe 'x', case ''",
        ),
    ]:
        wrong = small.model_copy(update={"run": problem[:9].replace(" ", "-"), **change})
        with pytest.raises(RunError, match=f"contradicts its suite: {problem}"):
            Ledger.create(tmp_path, wrong).records()


def test_the_path_of_a_suite_in_somebodys_plan_is_not_shown(tmp_path, tiny, manyseeds):
    secret = tmp_path / "secret.txt"
    secret.write_text("my secret")
    file = read_suite(str(tiny()))
    fields = {"suite_text": file.text, "suite_sha256": file.sha256, "suite_file": str(secret)}
    run = Ledger.create(tmp_path / "results", plan().model_copy(update=fields))
    append(run, 0)
    append(run, 1)
    answer = manyseeds("run", "--resume", "tiny-1", "--results", tmp_path / "results")
    assert "my secret" not in answer.out + answer.err
    assert "Traceback" not in answer.err
    assert os.listdir(tmp_path / "results") == ["tiny-1"]
