"""The versions under which rows were trained, from the provenance and the column `session`."""

import pandas as pd
import pytest

from manyseeds.errors import RunError
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.versions import latest_versions, mixed, trained_versions, versions_of
from tests.ledger.small_run import append, plan


def session(jax=None, manyseeds="0.1.0", **others):
    backends = {"jax": {"versions": {"jax": jax}}} if jax else {}
    backends |= {name: {"versions": {name: version}} for name, version in others.items()}
    versions = {"manyseeds": manyseeds, "numpy": "2.4", "pandas": "3.1"}
    return {"versions": versions, "backends": backends}


def records(*rows):
    return pd.DataFrame(rows, columns=["backend", "status", "session"]).astype({"session": "Int64"})


def test_the_versions_are_those_of_the_backend_and_of_what_makes_numbers():
    assert versions_of(session("0.9.2"), "jax") == {
        "jax": "0.9.2",
        "manyseeds": "0.1.0",
        "numpy": "2.4",
    }
    assert versions_of(session("0.9.2"), "torch") == {}
    assert (
        latest_versions([session("0.9.2"), session("0.10.2"), session()], "jax")["jax"] == "0.10.2"
    )
    assert latest_versions([session("0.9.2")], "torch") is None


def test_only_sessions_that_trained_rows_count():
    sessions = [session("0.9.2"), session("0.10.2"), session("0.11")]
    rows = records(("jax", "ok", 1), ("jax", "failed", 2), ("jax", "missing", None))
    versions = trained_versions(sessions, rows)["jax"]
    assert versions["jax"] == "0.9.2"
    assert mixed(versions) == {}


def test_rows_of_two_sessions_have_both_versions():
    sessions = [session("0.9.2"), session("0.9.2"), session("0.10.2")]
    rows = records(("jax", "ok", 1), ("jax", "ok", 2), ("jax", "diverged", 3))
    versions = trained_versions(sessions, rows)["jax"]
    assert versions == {"manyseeds": "0.1.0", "numpy": "2.4", "jax": "0.9.2 and 0.10.2"}
    assert mixed(versions) == {"jax": "0.9.2 and 0.10.2"}


def test_a_row_of_an_unknown_session_may_come_from_any():
    sessions = [session("0.9.2"), session(torch="2.9"), session("0.10.2")]
    rows = records(("jax", "ok", None), ("torch", "ok", None), ("tensorflow", "ok", None))
    versions = trained_versions(sessions, rows)
    assert versions["jax"]["jax"] == "0.9.2 and 0.10.2"
    assert mixed(versions["torch"]) == {}
    assert "tensorflow" not in versions


def test_sessions_of_two_versions_may_hash_a_recipe_differently(tmp_path):
    run = Ledger.create(tmp_path, plan())
    append(run, 0, session=1, recipe_sha256="ab" * 32)
    append(run, 1, session=2, recipe_sha256="cd" * 32)
    assert Ledger.open(run.folder).records()["session"].tolist() == [1, 1, 2, 2]
    other = Ledger.create(tmp_path, plan(run="tiny-2"))
    append(other, 0, session=1, recipe_sha256="ab" * 32)
    append(other, 1, session=1, recipe_sha256="cd" * 32)
    with pytest.raises(RunError, match="have another hash"):
        Ledger.open(other.folder).records()
