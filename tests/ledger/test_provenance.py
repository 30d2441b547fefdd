"""Provenance: what it says of a session, and what it keeps to itself."""

import sys

import pytest

from manyseeds.ledger.provenance import session


@pytest.mark.parametrize(
    ("given", "kept"),
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
def test_the_command_is_kept_without_the_folders_of_the_machine(monkeypatch, given, kept):
    monkeypatch.setattr(sys, "argv", ["/opt/bin/manyseeds", *given])
    assert session([])["command"] == ["manyseeds", *kept]


def test_a_session_names_machine_versions_and_data():
    found = session(["digits", "digits"])
    assert found["python"] == sys.version.split()[0]
    assert found["versions"]["numpy"]
    assert list(found["datasets"]) == ["digits"]
    assert all(len(digest) == 64 for digest in found["datasets"]["digits"].values())
