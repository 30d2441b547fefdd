"""Workers share recipes; one that dies costs only the recipe it was following."""

import os
import signal

import pytest

from manyseeds.backend.discovery import backend_entry
from manyseeds.check.numerics.following import Following, Request
from manyseeds.conformance.process import trajectories
from manyseeds.conformance.quick_compiling import QuickCompiling
from manyseeds.conformance.recipes import parity_recipes
from manyseeds.errors import RequestError, RunError
from manyseeds.processes.death import Death, WorkerDiedError
from manyseeds.processes.worker_group import WorkerGroup
from manyseeds.processes.worker_process import Worker

NAMES = ("selu_glorot_sgd", "elu_nadam", "tanh_ftrl")

QUICK_TO_COMPILE = "--xla_quick=true"


@pytest.fixture
def compiles(monkeypatch):
    """Give the NumPy backend a flag, as backends have that compile with XLA."""
    flags = {"XLA_FLAGS": QUICK_TO_COMPILE}
    monkeypatch.setattr(backend_entry("numpy"), "quick_compile_flags", flags)
    monkeypatch.setenv("XLA_FLAGS", "--xla_mine=1")


@pytest.fixture
def group():
    with WorkerGroup() as workers:
        yield workers


@pytest.fixture
def following(tmp_path):
    def prepare(backend="numpy", device="cpu"):
        recipes = {name: parity_recipes()[name] for name in NAMES}
        request = Request(backend, device, recipes, dict.fromkeys(NAMES, 2), 2)
        return Following(request, tmp_path / backend)

    return prepare


class DyingGroup:
    """Starts workers that die of a signal as soon as they are asked for what `dies` says."""

    stopped = False

    def __init__(self, dies, death):
        self.dies, self.death, self.started = dies, death, []

    def start(self, module, environment):
        self.started.append(environment.get("XLA_FLAGS"))
        return DyingWorker(Worker.start(module, environment=environment), self)


class DyingWorker:
    def __init__(self, worker, group):
        self.worker, self.group, self.request = worker, group, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.worker.stop()

    def send(self, request):
        self.request = request
        self.worker.send(request)

    def receive(self):
        answer = self.worker.receive()
        if self.group.dies(self.request, self.group.started):
            raise WorkerDiedError(self.group.death)
        return answer


def test_threads_share_the_recipes_of_a_request(following, group):
    work = following()
    first = work._waiting.popleft()
    work.follow_some(group)
    assert list(work.result().prints) == ["elu_nadam", "tanh_ftrl"]
    work._waiting.append(first)
    work.follow_some(group)
    followed = work.result()
    assert list(followed.prints) == list(NAMES)
    assert not followed.failures
    assert followed.environment["versions"]["numpy"]
    assert not list(work.folder.iterdir())


def test_a_worker_that_dies_costs_only_the_recipe_it_was_following(following):
    work = following()
    tanh = work.request.recipes["elu_nadam"].model_dump(mode="json")
    dying = DyingGroup(
        lambda request, _: request.get("recipe") == tanh,
        Death(-signal.SIGSEGV, "a warning\nFatal: it fell\n"),
    )
    work.follow_some(dying)
    followed = work.result()
    assert followed.failures == {"elu_nadam": "its process died of SIGSEGV: Fatal: it fell"}
    assert list(followed.prints) == ["selu_glorot_sgd", "tanh_ftrl"]
    assert len(dying.started) == 2


def test_a_recipe_that_cannot_be_followed_is_a_failure_and_the_worker_goes_on(
    following, monkeypatch
):
    work = following()
    name = work.request.recipes["selu_glorot_sgd"].phases[0].name
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", f"raise:{name}:0")
    with WorkerGroup() as workers:
        work.follow_some(workers)
    reason = "ArithmeticError: the numpy backend was asked to fail"
    assert work.result().failures["selu_glorot_sgd"] == reason


def test_a_backend_that_never_opens_fails_all_recipes_at_once(following, group, monkeypatch):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "broken")
    work = following()
    work.follow_some(group)
    cause = "its process ended with status 1: ImportError: the numpy backend was asked to break"
    assert work.result().failures == dict.fromkeys(NAMES, cause)
    assert work.result().environment == {}


def test_a_backend_that_refuses_the_device_makes_the_request_wrong(following, group):
    with pytest.raises(RequestError, match="knows no GPU"):
        following(device="cuda").follow_some(group)


def test_a_group_that_is_stopped_follows_nothing_more(following, group):
    work = following()
    group.stop()
    work.follow_some(group)
    assert not work.result().prints


def test_a_backends_flags_come_before_the_users_own(compiles):
    environment = QuickCompiling("numpy").environment()
    assert environment == {"XLA_FLAGS": f"{QUICK_TO_COMPILE} --xla_mine=1"}


@pytest.mark.parametrize("status", [-signal.SIGABRT, 1, None])
@pytest.mark.parametrize("dies_at", ["open", "follow"])
def test_a_compiler_that_does_not_know_the_flag_is_started_without(
    following, compiles, dies_at, status
):
    work = following()
    dying = DyingGroup(
        lambda request, started: request["type"] == dies_at and started[-1] is not None,
        Death(status, f"Unknown flag in XLA_FLAGS: {QUICK_TO_COMPILE}"),
    )
    work.follow_some(dying)
    assert dying.started == [f"{QUICK_TO_COMPILE} --xla_mine=1", None]
    assert list(work.result().prints) == list(NAMES)


def test_a_flag_that_one_worker_refused_is_left_out_by_all(following, compiles):
    """Every thread starts a worker; a worker that was started before may still die of the flag."""
    work = following()
    death = Death(1, f"Unknown flag in XLA_FLAGS: {QUICK_TO_COMPILE}")
    dying = DyingGroup(lambda _, started: started[-1] is not None, death)
    work.follow_some(dying)
    work._waiting.append(NAMES[0])
    work.follow_some(dying)
    assert dying.started == [f"{QUICK_TO_COMPILE} --xla_mine=1", None, None]


def test_a_flag_of_the_users_own_is_not_taken_for_the_backends(compiles, monkeypatch):
    """It cannot be left out: starting again without end would not help."""
    monkeypatch.setenv("XLA_FLAGS", QUICK_TO_COMPILE)
    quick = QuickCompiling("numpy")
    death = Death(1, f"Unknown flag in XLA_FLAGS: {QUICK_TO_COMPILE}")
    assert quick.refused(death, quick.environment())
    assert quick.environment() == {}
    assert not quick.refused(death, quick.environment())


# ---------------------------------------------------------------- the parity kit's workers


def end_with(monkeypatch, said, how="abort"):
    """Have workers that are told to compile quickly end, as XLA does where it knows no flag."""
    seen, start = [], Worker.start

    def started(module, environment):
        seen.append(environment.get("XLA_FLAGS", os.environ.get("XLA_FLAGS")))
        if "XLA_FLAGS" not in environment:
            return start(module, environment=environment)
        return start("tests.check.ending_worker", said, how)

    monkeypatch.setattr(Worker, "start", started)
    return seen


@pytest.mark.parametrize("how", ["abort", "exit"])
def test_parity_too_starts_a_compiler_that_does_not_know_the_flag_without(
    tmp_path, monkeypatch, compiles, how
):
    seen = end_with(monkeypatch, f"Unknown flag in XLA_FLAGS: {QUICK_TO_COMPILE}", how)
    recipes = {NAMES[0]: parity_recipes()[NAMES[0]]}
    assert list(trajectories("numpy", recipes, 2, 2, "cpu", tmp_path)) == [NAMES[0]]
    assert seen == [f"{QUICK_TO_COMPILE} --xla_mine=1", "--xla_mine=1"]


def test_parity_reports_any_other_death_with_its_log(tmp_path, monkeypatch, compiles):
    end_with(monkeypatch, "out of luck")
    recipes = {NAMES[0]: parity_recipes()[NAMES[0]]}
    with pytest.raises(RunError, match=r"'numpy' failed .* died of SIGABRT\nout of luck"):
        trajectories("numpy", recipes, 2, 2, "cpu", tmp_path)


def test_parity_raises_the_refusal_of_a_backend_as_it_was(tmp_path):
    recipes = {NAMES[0]: parity_recipes()[NAMES[0]]}
    with pytest.raises(RequestError, match="knows no GPU"):
        trajectories("numpy", recipes, 2, 2, "cuda", tmp_path)
