"""Limits of processes, threads, files and memory: each ends in a sentence that says what to do."""

import os
import subprocess
import sys
import threading

import pytest

from manyseeds.errors import RunError
from manyseeds.processes.death import Death
from manyseeds.processes.limits import limits_explained, remedy_of_limit, with_remedy
from manyseeds.processes.worker_process import Worker

ODD = "tests.processes.odd_worker"


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("RuntimeError: can't start new thread", "ulimit -u"),
        ("OpenBLAS blas_thread_init: pthread_create failed for thread 1 of 2", "ulimit -u"),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", "ulimit -u"),
        ("OSError: [Errno 24] Too many open files", "ulimit -n 4096"),
        ("OSError: [Errno 28] No space left on device", "make room"),
        ("MemoryError", "--lanes"),
        ("ImportError: libx.so: failed to map segment from shared object", "--lanes"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "--lanes"),
        ("XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory", "--lanes"),
        ("RuntimeError: DefaultCPUAllocator: can't allocate memory", "--lanes"),
    ],
)
def test_the_words_of_each_library_lead_to_the_remedy(words, remedy):
    assert remedy in remedy_of_limit(words)
    assert with_remedy(words).startswith(words)


def test_other_words_stay_as_they_are():
    assert with_remedy("ValueError: no luck") == "ValueError: no luck"


def open_files():
    return len(os.listdir("/dev/fd"))


@pytest.mark.parametrize("fault", ["process", "thread", "files"])
def test_a_worker_that_cannot_be_started_says_what_to_do_and_leaves_nothing(monkeypatch, fault):
    def refuse(kind, *words):
        def fail(*_args, **_kwargs):
            raise kind(*words)

        return fail

    started = []
    if fault == "process":
        again = refuse(BlockingIOError, 11, "Resource temporarily unavailable")
        monkeypatch.setattr(subprocess, "Popen", again)
    elif fault == "thread":
        popen = subprocess.Popen
        monkeypatch.setattr(
            subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1]
        )
        monkeypatch.setattr(
            threading.Thread, "start", refuse(RuntimeError, "can't start new thread")
        )
    else:
        monkeypatch.setattr(os, "pipe", refuse(OSError, 24, "Too many open files"))
    before = open_files()
    with pytest.raises(RunError, match=r"cannot start a worker process: .*\(.*ulimit -[un]"):
        Worker.start(ODD)
    assert open_files() == before
    assert [process.poll() is not None for process in started] == [True] * (fault == "thread")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_a_process_that_may_open_no_more_files_ends_without_a_traceback(tmp_path):
    code = (
        "import resource, sys\n"
        "from manyseeds.cli.main import main\n"
        "from manyseeds.processes.worker_process import Worker\n"
        "from manyseeds.errors import RunError\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))\n"
        "try:\n"
        "    workers = [Worker.start('tests.processes.odd_worker') for _ in range(9)]\n"
        "except RunError as error:\n"
        "    print(error)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert "Too many open files" in answer.stdout
    assert "ulimit -n 4096" in answer.stdout


def test_the_last_words_of_a_worker_are_told_with_its_status():
    log = "Traceback …\nRuntimeError: can't start new thread\n"
    assert Death(1, log).cause_and_last_words == (
        "ended with status 1: RuntimeError: can't start new thread"
    )
    assert Death(-11, log).cause_and_last_words == "died of SIGSEGV"
    assert Death(-35, "").cause == "died of signal 35"
    assert Death(None, log).cause_and_last_words == "closed its pipe without ending"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("can't start new thread"), "ulimit -u"),
        (MemoryError(), "^MemoryError .*--lanes"),
        (OSError(24, "Too many open files", "a.parquet"), "ulimit -n"),
        (BlockingIOError(11, "Resource temporarily unavailable"), "ulimit -u"),
    ],
)
def test_a_limit_that_a_command_runs_into_is_told_without_a_traceback(error, words):
    with pytest.raises(RunError, match=words), limits_explained():
        raise error


@pytest.mark.parametrize(
    "error", [RuntimeError("no luck"), FileNotFoundError(2, "No such file", "out of memory.txt")]
)
def test_other_errors_are_no_limits(error):
    with pytest.raises(type(error)), limits_explained():
        raise error


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone limits addresses")
def test_a_shell_that_allows_too_little_memory_is_told_before_anything_waits_for_ever():
    """OpenBLAS would try for ever to get its memory, as it is imported."""
    command = f"ulimit -v 400000; exec {sys.executable} -m manyseeds list suites"
    answer = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 1
    assert answer.stderr == (
        "manyseeds: this process may take 391 MiB of memory, and needs at least 1024 MiB: raise "
        "the limit, for instance with: ulimit -v unlimited\n"
    )
