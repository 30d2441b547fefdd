"""The commit of the code: that of its own clone, whatever git's environment variables say."""

import os
import subprocess

import pytest

from manyseeds.ledger.clone import Commit, commit_of


def git(folder, *arguments):
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    command = ["git", *identity, *arguments]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return answer.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """Make a repository with one commit and return its folder and that commit."""

    def make(name):
        folder = tmp_path / name
        (folder / "manyseeds").mkdir(parents=True)
        (folder / "manyseeds" / "code.py").write_text(f"name = {name!r}\n")
        git(folder, "init", "--quiet")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", name)
        return folder, git(folder, "rev-parse", "HEAD")

    return make


def test_the_commit_is_that_of_the_clone(repository):
    folder, commit = repository("clone")
    assert commit_of(folder) == Commit(commit, False)
    (folder / "results").mkdir()
    (folder / "results" / "new").touch()
    assert commit_of(folder) == Commit(commit, False)
    (folder / "manyseeds" / "code.py").write_text("changed = True\n")
    assert commit_of(folder) == Commit(commit, True)


def test_git_s_variables_do_not_lead_to_another_repository(repository, monkeypatch):
    clone, commit = repository("clone")
    other, elsewhere = repository("other")
    (other / "manyseeds" / "code.py").write_text("changed = True\n")
    assert commit != elsewhere
    # As in a hook of the other repository, or in its `git rebase --exec`.
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other / ".git" / "objects"))
    assert commit_of(clone) == Commit(commit, False)


def test_a_broken_clone_is_not_taken_for_the_repository_around_it(repository):
    outer, _ = repository("outer")
    (outer / "clone" / ".git").mkdir(parents=True)
    broken = Commit(None, None, "the clone is broken: git finds no repository in it")
    assert commit_of(outer / "clone") == broken


def test_a_folder_inside_another_repository_is_no_clone(repository):
    outer, _ = repository("outer")
    assert commit_of(outer / "manyseeds") == Commit(None, None, "not run from a clone")


def test_without_git_the_commit_is_unknown(repository, tmp_path, monkeypatch):
    clone, _ = repository("clone")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(clone) == Commit(None, None, "git is not installed")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_clone_of_another_user_that_git_refuses_is_unknown_not_clean(repository, monkeypatch):
    clone, _ = repository("clone")
    monkeypatch.setenv("HOME", str(clone.parent))  # nobody's safe.directory
    os.chown(clone, 65534, 65534)
    commit = commit_of(clone)
    assert (commit.name, commit.dirty) == (None, None)
    assert commit.unknown.startswith("git refuses a clone of another user; see safe.directory")
    assert str(clone) not in commit.unknown
