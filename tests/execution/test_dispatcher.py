"""The dispatcher decides who trains when: here with workers that answer as a test wants."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyseeds.errors import RequestError
from manyseeds.execution.dispatcher import OPENING_SECONDS, Dispatcher
from manyseeds.ledger.plan import Job

BACKENDS = ("jax", "pytorch", "tensorflow")
READY = {"type": "ready", "environment": {"device": "cpu"}}
EPOCH = {"type": "epoch", "phase": "a", "epoch": 0, "epochs": 1, "valid_accuracy": None}


class FakeWorker:
    """A worker with prepared answers."""

    def __init__(self, backend, says):
        self.backend = backend
        self.process = self  # what names itself as the sender
        self.environment = None
        self.crowded = False
        self.says = [says.get("opening", READY)]
        self.job_says = says.get("job", [{"type": "done", "crowded": False}])
        self.taken = []

    def send(self, message):
        self.taken.append(message["job"])
        self.says += [{**answer, "for": message["job"]} if answer else None
                      for answer in self.job_says]  # fmt: skip

    def cause(self):
        return "it died"


class FakeWorkers:
    """Workers by backend; `choose` picks the next to be heard from those with an answer left."""

    def __init__(self, says=None, choose=lambda talking: talking[0]):
        self.says, self.choose = says or {}, choose
        self.open, self.started, self.stopped, self.waited = {}, [], [], []

    def at(self, ledger, backend):
        if backend not in self.open:
            self.open[backend] = FakeWorker(backend, self.says.get(backend, {}))
            self.started.append(backend)
        return self.open[backend]

    def stop(self, backend):
        self.stopped.append(backend)
        self.open.pop(backend, None)

    def receive(self, seconds):
        self.waited.append(seconds)
        talking = [process for process in self.open.values() if process.says]
        if not talking:
            raise TimeoutError
        process = self.choose(talking)
        return process, process.says.pop(0)


class Watch:
    """Keeps a record of what happens."""

    def __init__(self):
        self.on, self.most, self.order, self.outcomes, self.epochs = set(), 0, [], {}, []

    def started(self, job):
        assert job.backend not in {each.backend for each in self.on}
        self.on.add(job)
        self.most = max(self.most, len(self.on))
        self.order.append(job.backend)

    def epoch(self, job, progress):
        self.epochs.append(job.id)

    def ended(self, job, outcome):
        self.on.remove(job)
        assert job.id not in self.outcomes
        self.outcomes[job.id] = outcome


def jobs_of(counts):
    backends = [
        backend for backend, count in zip(BACKENDS, counts, strict=True) for _ in range(count)
    ]
    return [
        Job(id=i, backend=backend, recipe="a", case="", mode="cohort", vary="init", seeds=(0,))
        for i, backend in enumerate(backends)
    ]  # fmt: skip


def dispatched(jobs, beside, workers, timeout=None, backends=BACKENDS):
    watch = Watch()
    plan = SimpleNamespace(backends=lambda: backends)
    dispatcher = Dispatcher(
        SimpleNamespace(plan=plan, folder=Path("run")),
        workers,
        watch,
        request=lambda job: {"job": job.id},
        opened=lambda backend, environment: None,
        ended=watch.ended,
        timeout=timeout,
    )
    try:
        dispatcher.dispatch(jobs, beside)
    finally:
        workers.watch = watch
    return watch


@given(
    counts=st.tuples(*[st.integers(0, 6)] * 3),
    beside=st.integers(1, 4),
    data=st.data(),
)
def test_every_job_ends_once_and_no_more_train_at_once_than_the_plan_says(counts, beside, data):
    jobs = jobs_of(counts)
    workers = FakeWorkers(choose=lambda talking: data.draw(st.sampled_from(talking)))
    watch = dispatched(jobs, beside, workers)
    assert watch.outcomes.keys() == {job.id for job in jobs}
    assert {outcome["for"] for outcome in watch.outcomes.values()} == set(watch.outcomes)
    present = sum(count > 0 for count in counts)
    assert watch.most == min(beside, present)
    assert sorted(workers.started) == [
        b for b, count in zip(BACKENDS, counts, strict=True) if count
    ]
    assert workers.stopped == []


def test_one_backend_at_a_time_follows_the_plan():
    watch = dispatched(jobs_of((2, 3, 1)), 1, FakeWorkers())
    assert watch.order == ["jax"] * 2 + ["pytorch"] * 3 + ["tensorflow"]


def test_of_several_backends_those_with_most_jobs_left_go_first():
    watch = dispatched(jobs_of((1, 2, 6)), 2, FakeWorkers())
    assert watch.order[:2] == ["tensorflow", "pytorch"]
    # The slow one never waits for a place while it has jobs.
    slow = FakeWorkers(choose=lambda talking: talking[-1])
    order = dispatched(jobs_of((4, 4, 4)), 2, slow).order
    assert Counter(order) == dict.fromkeys(BACKENDS, 4)


def test_a_worker_that_dies_costs_only_its_job():
    dies = {"jax": {"job": [EPOCH, None]}}
    workers = FakeWorkers(dies)
    watch = dispatched(jobs_of((2, 2, 0)), 2, workers)
    assert [watch.outcomes[i]["type"] for i in range(4)] == ["failed", "failed", "done", "done"]
    assert watch.outcomes[0]["reason"].startswith("it died; see ")
    assert workers.started.count("jax") == 2  # anew for the next job
    assert watch.epochs == [0, 1]


def test_a_backend_that_dies_twice_on_opening_fails_all_its_jobs():
    workers = FakeWorkers({"jax": {"opening": None}})
    watch = dispatched(jobs_of((3, 1, 0)), 2, workers)
    assert [watch.outcomes[i]["type"] for i in range(4)] == ["failed"] * 3 + ["done"]
    assert all("'jax' did not start: it died" in watch.outcomes[i]["reason"] for i in range(3))
    assert workers.started.count("jax") == 2


class OnceBroken(FakeWorkers):
    """Workers of which the first of each backend, and the first after a death, do not open."""

    def at(self, ledger, backend):
        new = backend not in self.open
        worker = super().at(ledger, backend)
        if new and self.started.count(backend) % 2:
            worker.says = [None]
        return worker


def test_a_backend_that_dies_once_on_opening_loses_nothing():
    workers = OnceBroken()
    watch = dispatched(jobs_of((2, 2, 0)), 2, workers)
    assert [watch.outcomes[i]["type"] for i in range(4)] == ["done"] * 4
    assert watch.order == ["jax", "pytorch"] * 2  # each job was started once, as a person sees it
    assert workers.started.count("jax") == 2


def test_each_opening_has_a_second_try():
    """The worker dies in its first job, and its successor has two tries again."""
    workers = OnceBroken({"jax": {"job": [None]}})
    watch = dispatched(jobs_of((2, 0, 0)), 1, workers)
    assert [watch.outcomes[i]["reason"].partition(";")[0] for i in range(2)] == ["it died"] * 2
    assert workers.started.count("jax") == 4


def test_a_backend_that_never_answers_on_opening_is_waited_for_once():
    workers = FakeWorkers()
    at = workers.at

    def mute(ledger, backend):
        worker = at(ledger, backend)
        worker.says = []
        return worker

    workers.at = mute
    watch = dispatched(jobs_of((2, 0, 0)), 1, workers)
    assert "no answer within 600 s" in watch.outcomes[1]["reason"]
    assert workers.started == ["jax"]


def test_a_refusal_fails_its_backend_only_unless_it_is_the_only_one():
    refuses = {"jax": {"opening": RequestError("no GPU")}}
    watch = dispatched(jobs_of((2, 1, 0)), 1, FakeWorkers(refuses))
    assert [watch.outcomes[i].get("reason") for i in range(3)] == ["no GPU", "no GPU", None]
    workers = FakeWorkers(refuses)
    with pytest.raises(RequestError, match="no GPU"):
        dispatched(jobs_of((2, 0, 0)), 1, workers, backends=("jax",))
    assert workers.stopped == ["jax"]


def test_each_worker_has_a_deadline_of_its_own(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(
        "manyseeds.execution.dispatcher.time", SimpleNamespace(monotonic=lambda: now[0])
    )
    hangs = FakeWorkers({"jax": {"job": []}})
    receive = hangs.receive

    def later(seconds):
        if not any(process.says for process in hangs.open.values()):
            now[0] += seconds
        return receive(seconds)

    hangs.receive = later
    watch = dispatched(jobs_of((1, 2, 0)), 2, hangs, timeout=5.0)
    assert watch.outcomes[0] == {
        "type": "failed", "status": "timed_out", "reason": "no epoch ended within 5 s",
    }  # fmt: skip
    assert [watch.outcomes[i]["type"] for i in (1, 2)] == ["done"] * 2
    assert hangs.stopped == ["jax"]
    assert now[0] == 5.0


def test_opening_has_a_deadline_of_its_own_and_no_timeout_means_none():
    workers = FakeWorkers()
    dispatched(jobs_of((1, 0, 0)), 1, workers)
    assert 0 < workers.waited[0] <= OPENING_SECONDS
    assert workers.waited[1] is None


def test_an_interrupt_stops_the_workers_in_the_middle_of_a_job_and_no_others():
    def interrupted(talking):
        if len(workers.heard) == 5:
            raise KeyboardInterrupt
        workers.heard.append(talking[0].backend)
        return talking[0]

    workers = FakeWorkers(choose=interrupted)
    workers.heard = []
    with pytest.raises(KeyboardInterrupt):
        dispatched(jobs_of((2, 0, 3)), 2, workers)
    busy = {job.backend for job in workers.watch.on}
    assert set(workers.stopped) == busy != set()
    assert {outcome["type"] for outcome in workers.watch.outcomes.values()} == {"done"}
