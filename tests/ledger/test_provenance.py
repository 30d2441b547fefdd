"""Provenance: the facts it records about a session, without the folders of the machine."""

import sys

import pytest

from manyseeds.ledger import provenance
from manyseeds.ledger.clone import Commit
from manyseeds.ledger.provenance import session


@pytest.mark.parametrize(
    ("typed", "recorded"),
    [
        (["run", "/home/ada/secret/mine.toml"], ["run", "mine.toml"]),
        (
            ["run", "transfer", "--results", "/srv/x/results"],
            ["run", "transfer", "--results", "results"],
        ),
        (["run", "transfer", "--results=/srv/x/results"], ["run", "transfer", "--results=results"]),
        (["run", "suites/mine.toml", "--seeds", "3"], ["run", "suites/mine.toml", "--seeds", "3"]),
    ],
)
def test_the_command_is_recorded_without_the_folders_of_the_machine(monkeypatch, typed, recorded):
    monkeypatch.setattr(sys, "argv", ["/opt/bin/manyseeds", *typed])
    assert session([])["command"] == ["manyseeds", *recorded]


def test_a_session_names_machine_versions_and_data():
    found = session(["digits", "digits"])
    assert found["python"] == sys.version.split()[0]
    assert found["versions"]["numpy"]
    assert list(found["datasets"]) == ["digits"]
    assert all(len(digest) == 64 for digest in found["datasets"]["digits"].values())


def test_a_session_says_why_its_commit_is_unknown(monkeypatch):
    monkeypatch.setattr(provenance, "commit_of", lambda _: Commit(None, None, "git is away"))
    found = session([])
    assert (found["commit"], found["dirty"]) == (None, None)
    assert found["commit_unknown"] == "git is away"
    monkeypatch.setattr(provenance, "commit_of", lambda _: Commit("4f1d", False))
    assert "commit_unknown" not in session([])
