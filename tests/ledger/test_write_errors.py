"""A run that cannot be written to: the message fits the cause and says how to go on."""

import errno
import os
import shlex

import pytest

from manyseeds.errors import RequestError, RunError
from manyseeds.ledger import parquet
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.write_errors import resume_command
from tests.ledger.small_run import append, plan


@pytest.fixture
def run(tmp_path):
    return Ledger.create(tmp_path / "my results", plan())


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "make room on its disk"),
        (errno.EDQUOT, "your quota is used up"),
        (errno.EROFS, "its disk is read-only: copy the run to another folder"),
        (errno.EACCES, "ask its owner for permission, or copy the run to another folder"),
        (errno.EMFILE, "ulimit -n 4096"),
        (errno.EIO, "does not answer"),
    ],
)
def test_a_failed_write_says_what_to_do_and_how_to_continue(run, monkeypatch, number, advice):
    def fail(_path, _content):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(parquet, "write_atomically", fail)
    with pytest.raises(RunError, match="Nothing recorded so far is lost") as refused:
        append(run, 0)
    message = str(refused.value)
    assert advice in message
    assert ("make room" in message) == (number == errno.ENOSPC)
    command = shlex.split(message.split("continue with: ")[1])
    assert command == [
        "manyseeds",
        "run",
        "--resume",
        "tiny-1",
        "--results",
        str(run.folder.parent),
    ]


def test_the_command_that_continues_a_run_is_ready_for_a_shell(tmp_path):
    folder = tmp_path / "it's mine" / "a run"
    expected = ["manyseeds", "run", "--resume", "a run", "--results", str(tmp_path / "it's mine")]
    assert shlex.split(resume_command(folder)) == expected


def test_a_run_that_cannot_be_promised_leaves_no_folder(tmp_path, monkeypatch):
    def full(_handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"No space left on device. Make room on its disk"):
        Ledger.create(tmp_path, plan())
    assert list(tmp_path.iterdir()) == []


def test_a_results_folder_that_may_not_be_written_to_is_no_matter_of_room(ordinary):
    ordinary.chmod(0o500)
    with pytest.raises(RunError, match=r"Permission denied. Ask its owner .*--results") as refused:
        Ledger.create(ordinary, plan())
    assert "make room" not in str(refused.value).lower()


def test_a_colleague_s_lock_is_reported_with_its_owner_and_the_remedy(ordinary):
    run = Ledger.create(ordinary, plan())
    with run.writing():
        pass
    (run.folder / ".lock").chmod(0o444)
    with pytest.raises(RequestError, match="you may not write to it") as refused, run.writing():
        pass
    message = str(refused.value)
    assert f"belongs to {(run.folder / '.lock').owner()}" in message
    assert f"chmod g+w {shlex.quote(str(run.folder / '.lock'))}" in message


def test_a_run_in_a_folder_that_may_not_be_written_to_cannot_be_locked(ordinary):
    run = Ledger.create(ordinary, plan())
    run.folder.chmod(0o500)
    with pytest.raises(RunError, match=r"cannot lock .*: Permission denied"), run.writing():
        pass
