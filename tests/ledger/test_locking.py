"""Locks of folders: one writer at a time, also where the file system has no locks."""

import errno
import fcntl
import os
import subprocess
import sys
import textwrap

import pytest
from filelock import Timeout

from manyseeds.ledger.locking import locked

UNSUPPORTED = [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EPERM, errno.EINVAL]


@pytest.fixture
def without_locks(monkeypatch):
    """A file system that answers every request for a lock with this error number."""

    def answer(number):
        def flock(_descriptor, _operation):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)

    return answer


def test_a_second_lock_is_refused_until_the_first_is_given_back(tmp_path):
    with locked(tmp_path), pytest.raises(Timeout), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


@pytest.mark.filterwarnings("ignore:flock not supported:UserWarning")
@pytest.mark.parametrize("old_lock_file", [False, True])
@pytest.mark.parametrize("number", UNSUPPORTED, ids=lambda number: errno.errorcode[number])
def test_without_locks_a_file_keeps_the_second_writer_out(
    tmp_path, without_locks, number, old_lock_file
):
    if old_lock_file:  # the folder comes from a disk with locks
        (tmp_path / ".lock").touch()
    without_locks(number)
    with locked(tmp_path), pytest.raises(Timeout), locked(tmp_path):
        pass
    assert not (tmp_path / ".taken").exists()
    with locked(tmp_path):
        pass


def test_without_locks_a_process_that_was_killed_keeps_nobody_out(tmp_path, without_locks):
    text = """
        import fcntl, os, pathlib, sys
        def flock(*_):
            raise OSError(37, "No locks available")
        fcntl.flock = flock
        from manyseeds.ledger.locking import locked
        with locked(pathlib.Path(sys.argv[1])):
            os.kill(os.getpid(), 9)
    """
    command = [sys.executable, "-c", textwrap.dedent(text), str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == -9
    assert (tmp_path / ".taken").exists()
    without_locks(errno.ENOLCK)
    with locked(tmp_path):
        pass


def test_a_disk_that_fails_is_not_taken_for_one_without_locks(tmp_path, without_locks):
    without_locks(errno.EIO)
    with pytest.raises(OSError, match="Input/output error"), locked(tmp_path):
        pass


def test_whoever_may_write_to_the_folder_may_lock_it(tmp_path):
    for mode in (0o770, 0o750):
        folder = tmp_path / f"{mode:o}"
        folder.mkdir()
        folder.chmod(mode)
        with locked(folder):
            pass
        assert (folder / ".lock").stat().st_mode & 0o777 == mode & 0o666
