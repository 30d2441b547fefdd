"""Workers share recipes out among themselves; one that dies costs the recipe it was at."""

import json
import os
import signal
import subprocess

import pytest

from manyseeds.check.numerics import following
from manyseeds.check.numerics.following import Request, follow_some, followed, prepared
from manyseeds.conformance import process
from manyseeds.conformance.process import Lifeline
from manyseeds.conformance.recipes import parity_recipes
from manyseeds.errors import RequestError

LINE = Lifeline()
NAMES = ("selu_glorot_sgd", "elu_nadam", "tanh_ftrl")


def request_for(backend="numpy", names=NAMES):
    recipes = {name: parity_recipes()[name] for name in names}
    return Request(backend, "cpu", recipes, dict.fromkeys(names, 2), 2)


def test_recipes_are_followed_once_each_whoever_does_it(tmp_path):
    request = request_for()
    prepared(request, tmp_path / "numpy")
    (tmp_path / "numpy" / "1.claim").write_text("another")
    follow_some(tmp_path / "numpy", "one", LINE)
    assert set(followed(request, tmp_path / "numpy").prints) == {"selu_glorot_sgd", "tanh_ftrl"}
    (tmp_path / "numpy" / "1.claim").unlink()
    follow_some(tmp_path / "numpy", "two", LINE)
    found = followed(request, tmp_path / "numpy")
    assert set(found.prints) == set(NAMES)
    assert not found.failures
    assert found.environment["versions"]["numpy"]
    claimed = [(tmp_path / "numpy" / f"{number}.claim").read_text() for number in range(3)]
    assert claimed == ["one", "two", "one"]


def test_a_worker_that_dies_costs_the_recipe_it_was_at_and_no_other(tmp_path, monkeypatch):
    request = request_for()
    folder = tmp_path / "numpy"
    prepared(request, folder)
    real = following.run_module

    def dying(module, *arguments, lifeline):
        if (folder / "0.claim").exists():
            return real(module, *arguments, lifeline=lifeline)
        (folder / "0.claim").write_text(arguments[1])
        return subprocess.CompletedProcess([], -signal.SIGSEGV, "", "Fatal: it fell\n")

    monkeypatch.setattr(following, "run_module", dying)
    follow_some(folder, "one", LINE)
    found = followed(request, folder)
    assert found.failures == {"selu_glorot_sgd": "its process died of SIGSEGV: Fatal: it fell"}
    assert set(found.prints) == {"elu_nadam", "tanh_ftrl"}


def test_a_worker_that_never_opens_the_backend_fails_all_recipes_at_once(tmp_path, monkeypatch):
    request = request_for()
    prepared(request, tmp_path / "numpy")
    calls = []

    def dying(module, *arguments, lifeline):
        calls.append(arguments)
        return subprocess.CompletedProcess([], 1, "", "ImportError: no\n")

    monkeypatch.setattr(following, "run_module", dying)
    follow_some(tmp_path / "numpy", "one", LINE)
    assert len(calls) == 1
    failures = followed(request, tmp_path / "numpy").failures
    assert failures == dict.fromkeys(NAMES, "its process ended with status 1: ImportError: no")


def test_a_backend_that_refuses_the_device_is_a_wrong_request(tmp_path):
    request = request_for()
    prepared(request, tmp_path / "numpy")
    document = json.loads((tmp_path / "numpy" / "request.json").read_text())
    (tmp_path / "numpy" / "request.json").write_text(json.dumps(document | {"device": "cuda"}))
    with pytest.raises(RequestError, match="knows no GPU"):
        follow_some(tmp_path / "numpy", "one", LINE)


def test_xla_is_told_to_compile_quickly_beside_what_the_user_says(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_mine=1")
    found = process.run_module("tests.check.show_flags")
    assert found.stdout.split() == [process.QUICK_TO_COMPILE, "--xla_mine=1"]


def test_an_xla_that_does_not_know_the_flag_is_asked_without(monkeypatch):
    seen = []

    def run(command, *, env, **_):
        seen.append(env.get("XLA_FLAGS"))
        unknown = process.QUICK_TO_COMPILE in (seen[-1] or "")
        said = f"Unknown flag in XLA_FLAGS: {process.QUICK_TO_COMPILE}" if unknown else ""
        return subprocess.CompletedProcess(command, -signal.SIGABRT if unknown else 0, "", said)

    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setattr(subprocess, "run", run)
    assert process.run_module("any").returncode == 0
    assert seen == [process.QUICK_TO_COMPILE, os.environ.get("XLA_FLAGS")]
