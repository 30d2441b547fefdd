"""Workers: nothing they print or import disturbs their messages, and no death goes unnoticed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from manyseeds.errors import RequestError, RunError
from manyseeds.processes import worker_process
from manyseeds.processes.death import Death, WorkerDiedError
from manyseeds.processes.import_path import worker_path
from manyseeds.processes.worker_group import WorkerGroup
from manyseeds.processes.worker_process import Inbox, Worker

ODD = "tests.processes.odd_worker"
SECONDS = 60


@pytest.fixture
def worker():
    with Worker.start(ODD) as started:
        yield started


def asked(worker, request):
    worker.send(request)
    return worker.receive(SECONDS)


def death_of(worker):
    with pytest.raises(WorkerDiedError) as died:
        worker.receive(SECONDS)
    return died.value.death


# ---------------------------------------------------------------- messages


def test_what_a_worker_prints_is_in_its_log_and_in_no_message(worker):
    text = '{"echo": "not a message"}\n'
    for _ in range(3):
        assert asked(worker, {"print": text}) == {"printed": len(text)}
        assert asked(worker, {"echo": 1}) == {"echo": 1}
    worker.send({"exit": 0})
    log = death_of(worker).log
    assert "printed on import" in log
    assert log.count(text.strip()) == 3 * 4


@pytest.mark.parametrize(
    "content", ["naïve 日本語 🎲\x00\n\r\u2028", "\ud800", [1e-308, 0.1, -0.0], {"a": {"b": None}}]
)
def test_any_json_goes_there_and_back(worker, content):
    assert asked(worker, {"echo": content}) == {"echo": content}


def test_messages_of_tens_of_megabytes_go_there_and_back(worker):
    content = "seed " * 6_000_000
    assert asked(worker, {"echo": content}) == {"echo": content}


def test_a_busy_worker_takes_requests_that_no_pipe_could_hold(worker):
    worker.send({"sleep": 0.5})
    started = time.monotonic()
    contents = [str(number) * 1_000_000 for number in range(5)]
    for content in contents:
        worker.send({"echo": content})
    assert time.monotonic() - started < SECONDS
    assert worker.receive(SECONDS) == {"slept": 0.5}
    assert [worker.receive(SECONDS)["echo"] for _ in contents] == contents


def test_a_timeout_leaves_the_answer_to_come(worker):
    assert asked(worker, {"echo": 0}) == {"echo": 0}
    worker.send({"sleep": 0.5})
    with pytest.raises(TimeoutError):
        worker.receive(0.05)
    assert worker.receive(SECONDS) == {"slept": 0.5}


def test_errors_on_purpose_are_raised_here_and_the_worker_goes_on(worker):
    worker.send({"refuse": "no such device: «cuda»"})
    with pytest.raises(RequestError, match="no such device: «cuda»"):
        worker.receive(SECONDS)
    worker.send({"fail": "a full disk"})
    with pytest.raises(RunError, match="a full disk"):
        worker.receive(SECONDS)
    assert asked(worker, {"echo": 2}) == {"echo": 2}


def test_two_workers_share_an_inbox():
    inbox = Inbox()
    with Worker.start(ODD, inbox=inbox) as one, Worker.start(ODD, inbox=inbox) as other:
        for number in range(20):
            one.send({"echo": number})
            other.send({"echo": -number})
        other.send({"exit": 3})
        events = {one: [], other: []}
        for _ in range(41):
            sender, event = inbox.receive(SECONDS)
            events[sender].append(event)
    assert events[one] == [{"echo": number} for number in range(20)]
    assert events[other] == [*({"echo": -number} for number in range(20)), None]


# ---------------------------------------------------------------- surroundings


def test_a_worker_has_its_arguments_its_environment_and_an_empty_input(monkeypatch):
    monkeypatch.setenv("MANYSEEDS_OTHER", "kept")
    with Worker.start(ODD, "a b", "--c", environment={"MANYSEEDS_SOME": "here"}) as worker:
        around = asked(worker, {"surroundings": True})
    assert around["arguments"] == ["a b", "--c"]
    assert around["environment"]["MANYSEEDS_SOME"] == "here"
    assert around["environment"]["MANYSEEDS_OTHER"] == "kept"
    assert around["input"] == ""
    assert around["folder"] == os.getcwd()
    assert "MANYSEEDS_SOME" not in os.environ


def test_modules_in_the_working_folder_hide_no_others(tmp_path, monkeypatch):
    for name in ("queue", "json", "selectors", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), *sys.path])
    with Worker.start(ODD) as worker:
        for name in ("queue", "json", "selectors", "numpy"):
            assert str(tmp_path) not in asked(worker, {"import": name})["file"]


@pytest.mark.parametrize("name", ["sitecustomize", "usercustomize"])
def test_start_up_files_are_not_run(tmp_path, monkeypatch, name):
    (tmp_path / f"{name}.py").write_text(
        "import os\nprint('hello from a start-up file')\nos.environ['STARTED_UP'] = 'yes'\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    with Worker.start(ODD) as worker:
        around = asked(worker, {"surroundings": True})
    assert "STARTED_UP" not in around["environment"]
    assert not around["user site"]
    assert str(tmp_path) in around["path"]


def test_noise_before_the_first_line_of_the_worker_disturbs_nothing(tmp_path, monkeypatch):
    """As of a start-up file among Python's own packages, which is run whatever a worker does."""
    noise = "import os\nprint('{' * 100)\nos.write(1, b'{' * 100)\nos.write(2, b'}' * 100)\n"
    noisy, starter = tmp_path / "starter.py", Path(worker_process._STARTER)
    noisy.write_text(starter.read_text().replace("import json\n", f"{noise}import json\n", 1))
    monkeypatch.setattr(worker_process, "_STARTER", str(noisy))
    with Worker.start(ODD) as worker:
        assert asked(worker, {"echo": 1}) == {"echo": 1}
        worker.send({"exit": 0})
        assert "{{{" in death_of(worker).log


def test_what_this_process_can_import_a_worker_can_too(tmp_path, monkeypatch):
    named, added = tmp_path / "named", tmp_path / "added"
    for folder in (named, added):
        folder.mkdir()
        (folder / f"only_{folder.name}.py").touch()
        (folder / "both.py").touch()
    monkeypatch.syspath_prepend(str(added))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", str(named), os.environ["PYTHONPATH"]]))
    with Worker.start(ODD) as worker:
        assert asked(worker, {"import": "only_named"})["file"] == str(named / "only_named.py")
        assert asked(worker, {"import": "only_added"})["file"] == str(added / "only_added.py")
        assert asked(worker, {"import": "both"})["file"] == str(named / "both.py")
        assert asked(worker, {"import": "manyseeds_numpy"})["file"]


def test_the_folder_of_the_script_is_left_out_unless_it_is_named(tmp_path, monkeypatch):
    main = sys.modules["__main__"]  # of a test runner's helper it has no file
    monkeypatch.setattr(main, "__file__", str(tmp_path / "mine.py"), raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert str(tmp_path) not in worker_path()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert worker_path()[0] == str(tmp_path)


# ---------------------------------------------------------------- logs


def test_a_log_that_is_named_is_appended_to_and_can_be_changed(tmp_path):
    log, other = tmp_path / "a.log", tmp_path / "b.log"
    log.write_text("before\n")
    with Worker.start(ODD, log=log) as worker:
        asked(worker, {"print": "to the first\n"})
        asked(worker, {"log to": str(other)})
        asked(worker, {"print": "to the second\n"})
    assert log.read_text().startswith("before\n")
    assert "to the first" in log.read_text()
    assert "to the second" not in log.read_text()
    assert "to the other log" in other.read_text()
    assert "to the second" in other.read_text()


# ---------------------------------------------------------------- ends


def test_a_worker_killed_amid_a_message_is_dead_and_the_message_dropped(worker):
    worker.send({"echo": "whole"})
    worker.send({"die in a message": int(signal.SIGKILL)})
    assert worker.receive(SECONDS) == {"echo": "whole"}
    death = death_of(worker)
    assert death.killed
    assert death.cause == "died of SIGKILL"
    worker.send({"echo": "nobody hears it"})


@pytest.mark.parametrize(
    ("request_", "cause", "last_line"),
    [
        ({"crash": "no luck"}, "ended with status 1", "ArithmeticError: no luck"),
        ({"exit": 4}, "ended with status 4", "printed on import"),
        ({"exit": "a reason"}, "ended with status 1", "a reason"),
        ({"die in a message": int(signal.SIGSEGV)}, "died of SIGSEGV", ""),
    ],
)
def test_the_cause_of_a_death_is_reported_with_its_log(worker, request_, cause, last_line):
    worker.send(request_)
    death = death_of(worker)
    assert death.cause == cause
    assert last_line in death.last_line
    assert not death.killed


def test_a_module_that_is_not_there_is_a_death_with_its_name():
    with Worker.start("tests.processes.no_such_worker") as worker:
        worker.send({"echo": 1})
        death = death_of(worker)
    assert death.status == 1
    assert "no_such_worker" in death.last_line


def test_a_worker_that_closes_its_pipe_is_ended(worker, monkeypatch):
    monkeypatch.setattr(worker_process, "ENDING_SECONDS", 0.5)
    worker.send({"close": True})
    death = death_of(worker)
    assert death.cause == "closed its pipe without ending"
    assert not worker.alive


def test_a_child_of_the_worker_does_not_hide_its_death(worker):
    child = psutil.Process(asked(worker, {"leave a child": True})["child"])
    try:
        assert death_of(worker).killed
        assert child.is_running()
    finally:
        child.kill()


def test_a_death_without_a_word_says_so():
    assert Death(1, " \n").last_line == "it printed nothing"


def test_stopping_ends_a_busy_worker_and_may_be_repeated():
    worker = Worker.start(ODD)
    worker.send({"sleep": 3600})
    worker.stop()
    worker.stop()
    assert not worker.alive


PARENT = """
import sys, time
from manyseeds.processes.worker_process import Worker
worker = Worker.start("tests.processes.odd_worker")
worker.send({"echo": 1})
worker.receive(60)
if sys.argv[1] == "busy":
    worker.send({"sleep": 3600})
print(worker._process.pid, flush=True)
time.sleep(3600)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_a_worker_ends_when_its_parent_is_killed(state):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, state], stdout=subprocess.PIPE, text=True
    )
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    _, alive = psutil.wait_procs([worker], timeout=10)
    for process in alive:
        process.kill()
    assert not alive


def test_a_group_that_is_left_ends_its_workers_and_whatever_it_starts_later():
    with WorkerGroup() as group:
        busy, idle = group.start(ODD), group.start(ODD)
        assert asked(idle, {"echo": 1}) == {"echo": 1}
        busy.send({"sleep": 3600})
    assert death_of(busy).killed
    assert death_of(idle).killed
    late = group.start(ODD)
    assert death_of(late).killed
    for worker in (busy, idle, late):
        worker.stop()


def test_a_worker_module_run_by_hand_says_what_starts_it():
    command = [sys.executable, "-m", "manyseeds.conformance.process"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "Worker starts it" in answer.stderr
    assert "Traceback" not in answer.stderr
