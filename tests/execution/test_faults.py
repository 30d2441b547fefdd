"""Faults: each is reported, costs only its own rows, and is made good by resuming.

Each test calls the real command line on a tiny suite with the NumPy backend, which fails on
request (`tests/numpy_backend/manyseeds_numpy/faults.py`). Where a fault is about processes and
signals, the command has a process of its own.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import psutil
import pytest

from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.runs import ledgers
from manyseeds.ledger.schemas import ROW_KEY
from manyseeds.processes import host

VOLATILE = ["seconds_train", "seconds_evaluate", "seconds_compile", "seconds_shared"]
VOLATILE += ["peak_memory_bytes", "attempt", "session", "compilations"]
RECIPES = ("scratch", "transfer", "never_freeze")


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def train(manyseeds, results):
    """Train on NumPy and return the answer and the run's ledger."""

    def call(*arguments):
        answer = manyseeds("run", *arguments, "--backend", "numpy", "--results", results)
        return answer, newest(results)

    return call


@pytest.fixture
def resume(manyseeds, results):
    def call(ledger, *arguments):
        return manyseeds("run", "--resume", ledger.folder.name, "--results", results, *arguments)

    return call


def newest(results):
    folders = sorted(results.glob("*/plan.json"), key=lambda path: path.stat().st_mtime_ns)
    return Ledger.open(folders[-1].parent) if folders else None


def statuses(ledger):
    """Return the statuses of each recipe's rows."""
    records = ledger.records()
    return {
        name: dict(Counter(group["status"]))
        for name, group in records.groupby("recipe", sort=False)
    }


def values(ledger):
    """Return the records without what depends on the hour, sorted by row."""
    return ledger.records().drop(columns=VOLATILE).sort_values(ROW_KEY).reset_index(drop=True)


def assert_all_delivered_once(ledger):
    records = ledger.records()
    assert set(records["status"]) == {"ok"}
    assert len(records) == len(records[ROW_KEY].drop_duplicates()) == 9


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The records of the tiny suite when nothing goes wrong."""
    from manyseeds.execution.request import Options, TrainingRequest
    from manyseeds.execution.train import train
    from manyseeds.presentation.run_display import TerminalDisplay

    suite = Path(__file__).parents[1] / "tiny.toml"
    results = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        request = TrainingRequest(
            suites=(str(suite),), results=results, options=Options(backends=("numpy",))
        )
        (ledger,) = train(request, TerminalDisplay())
    return values(ledger)


# ---------------------------------------------------------------- the request is wrong: status 2


def test_an_unknown_suite_is_refused(train):
    answer, ledger = train("transfre")
    assert answer.status == 2
    assert "unknown suite 'transfre'. Did you mean 'transfer'?" in answer.err
    assert "Traceback" not in answer.err
    assert ledger is None


def test_an_unknown_recipe_is_refused(train, tiny):
    answer, ledger = train(tiny(), "--recipe", "scrach")
    assert answer.status == 2
    assert "--recipe: unknown recipe 'scrach'. Did you mean 'scratch'?" in answer.err
    assert ledger is None


def test_an_unknown_technique_is_refused(train, tiny):
    answer, ledger = train(tiny(('activation = "selu"', 'activation = "sellu"')))
    assert answer.status == 2
    assert "tiny.toml: networks.target.layers[0]" in answer.err.replace("source", "target")
    assert "unknown technique 'sellu'. Did you mean 'selu'?" in answer.err
    assert ledger is None


def test_an_unknown_backend_is_refused(manyseeds, tiny, results):
    answer = manyseeds("run", tiny(), "--backend", "numpi", "--results", results)
    assert answer.status == 2
    assert "unknown backend 'numpi'. Did you mean 'numpy'?" in answer.err
    assert not results.exists()


def test_an_unknown_dataset_is_refused(train, tiny):
    answer, ledger = train(tiny(('dataset = "fashion-mnist-12k"', 'dataset = "fashion-mnst-12k"')))
    assert answer.status == 2
    assert "unknown dataset 'fashion-mnst-12k'. Did you mean 'fashion-mnist-12k'?" in answer.err
    assert ledger is None


def test_an_unknown_stream_is_refused(train, tiny):
    answer, _ = train(tiny(), "--vary", "initt")
    assert answer.status == 2
    assert "--vary: unknown stream 'initt'. Did you mean 'init'?" in answer.err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("rate = 0.01", 'rate = "fast"'), "recipes[0].phases[0].rate"),
        (("seeds = 3", "seeds = 0"), "tiny.toml: seeds"),
        (("seeds = 3", "seeds = true"), "tiny.toml: seeds"),
        (("units = 3", "units = 2"), "2 outputs for the 3 classes of task 'source'"),
        (("units = 1", "units = 2"), "expected 1 unit"),
        (("classes = [5, 6]", "classes = [5, 6, 7]"), "tells two classes apart"),
    ],
)
def test_wrong_types_and_numbers_are_refused_before_there_is_a_run(train, tiny, change, told):
    answer, ledger = train(tiny(change))
    assert answer.status == 2
    assert told in answer.err
    assert ledger is None


@pytest.mark.parametrize(
    "option", ["--seeds 0", "--lanes 0", "--threads 0", "--solo -1", "--timeout 0", "--timeout -1"]
)
def test_numbers_out_of_range_are_refused(train, tiny, option):
    answer, ledger = train(tiny(), *option.split())
    assert answer.status == 2
    assert option.split()[0] in answer.err
    assert ledger is None


def test_a_wrong_second_suite_leaves_no_folder_of_the_first(train, tiny):
    wrong = tiny(("seeds = 3", "seeds = 0"), name="wrong.toml")
    answer, ledger = train(tiny(), wrong)
    assert answer.status == 2
    assert ledger is None


# ---------------------------------------------------------------- data


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    """Fashion-MNIST is nowhere on this machine, and there is no network."""
    import pooch

    from manyseeds.datasets import files

    def refuse(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setenv("MANYSEEDS_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(files, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setattr(pooch, "HTTPDownloader", lambda: refuse)
    return tmp_path / "data"


WHOLE = ('dataset = "fashion-mnist-12k"', 'dataset = "fashion-mnist"')


def test_an_absent_dataset_is_told_with_the_ways_to_get_it(train, tiny, no_data):
    answer, ledger = train(tiny(WHOLE))
    assert answer.status == 2
    assert "data set 'fashion-mnist' is not on this machine" in answer.err
    assert "apt-get install dataset-fashion-mnist" in answer.err
    assert "MANYSEEDS_DATA" in answer.err
    assert ledger is None


def test_a_dataset_that_fails_its_checksum_is_never_used(train, tiny, no_data):
    no_data.mkdir()
    (no_data / "train-images-idx3-ubyte").write_bytes(b"not the images")
    answer, ledger = train(tiny(WHOLE))
    assert answer.status == 2
    assert "train-images-idx3-ubyte is damaged or the wrong file: the SHA-256" in answer.err
    assert ledger is None


def test_recipes_that_are_not_asked_for_need_no_data(train, tiny, no_data):
    target = "[tasks.target]\n"
    source, kept = (f"[tasks.{name}]\n{WHOLE[0]}" for name in ("source", "target"))
    suite = tiny((source, f"[tasks.source]\n{WHOLE[1]}"))
    assert target in kept + "\n"
    answer, ledger = train(suite, "--recipe", "scratch")
    assert answer.status == 0
    assert statuses(ledger) == {"scratch": {"ok": 3}}


# ---------------------------------------------------------------- backends


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution with one backend, for this process and those it starts."""
    modules = []

    def place(distribution, version, backend, text):
        site = tmp_path / distribution
        info = site / f"{distribution}-{version}.dist-info"
        info.mkdir(parents=True)
        described = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (info / "METADATA").write_text(described)
        module = f"{distribution}_{backend}_backend"
        (info / "entry_points.txt").write_text(
            f"[manyseeds.backends]\n{backend} = {module}:entry\n"
        )
        (site / f"{module}.py").write_text(text)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ['PYTHONPATH']}")
        modules.append(module)

    yield place
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture
def absent_pytorch(install):
    """PyTorch is the one backend of manyseeds itself, and it is not installed."""
    # Found before the installed distribution of this name, whose entry points it hides.
    install(
        "manyseeds", "0.1.0", "pytorch",
        "from manyseeds_numpy import Entry\n"
        "class Absent(Entry):\n"
        "    name = 'pytorch'\n"
        "    requires = ('torch_that_is_not_there',)\n"
        "    install = 'pip install manyseeds[pytorch]'\n"
        "entry = Absent()\n",
    )  # fmt: skip


def test_an_absent_backend_asked_for_by_name_is_refused(manyseeds, tiny, results, absent_pytorch):
    answer = manyseeds("run", tiny(), "--backend", "pytorch", "--results", results)
    assert answer.status == 2
    assert "backend 'pytorch' is not installed: no module torch_that_is_not_there" in answer.err
    assert "pip install manyseeds[pytorch]" in answer.err
    assert not results.exists()


def test_an_absent_backend_not_asked_for_is_left_out_and_told(
    manyseeds, tiny, results, absent_pytorch
):
    answer = manyseeds("run", tiny(), "--recipe", "scratch", "--results", results)
    assert answer.status == 0
    assert "backend 'pytorch' is left out: no module torch_that_is_not_there" in answer.err
    assert set(newest(results).records()["backend"]) == {"numpy"}


@pytest.fixture
def broken_package(install):
    """Another package's backend is installed, and its module cannot be imported."""
    install("acme", "1.0", "acme", "raise OSError('libacme.so is gone')\n")


def test_a_package_that_cannot_be_imported_stops_nobody_else(
    manyseeds, tiny, results, broken_package
):
    fault = "its entry point 'acme_acme_backend:entry' fails with OSError: libacme.so is gone"
    remedy = "pip install --force-reinstall acme"
    asked = manyseeds("run", tiny(), "--backend", "acme", "--results", results)
    assert asked.status == 2
    assert fault in asked.err
    assert remedy in asked.err
    listed = manyseeds("list", "backends", "--json")
    assert listed.status == 0
    assert fault in listed.out
    assert "numpy" in listed.out
    examined = manyseeds("doctor")
    assert "acme" in examined.out


@pytest.fixture
def second_backend(install):
    """Another backend, which refuses nothing; it comes after `numpy`."""
    install(
        "second", "1.0", "second",
        "from manyseeds_numpy import Entry\n"
        "class Second(Entry):\n"
        "    name = 'second'\n"
        "    def open(self, settings):\n"
        "        from manyseeds_numpy.training import NumpyBackend\n"
        "        return NumpyBackend(settings)\n"
        "entry = Second()\n",
    )  # fmt: skip


def test_a_backend_that_refuses_to_open_does_not_end_the_others(
    manyseeds, tiny, results, second_backend, monkeypatch
):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "refuse")
    both = ("--backend", "numpy", "--backend", "second")
    answer = manyseeds("run", tiny(), *both, "--recipe", "scratch", "--results", results)
    assert answer.status == 1
    records = newest(results).records().set_index("backend")
    assert set(records.loc["second", "status"]) == {"ok"}
    assert set(records.loc["numpy", "status"]) == {"failed"}
    assert "asked to refuse" in records.loc["numpy", "reason"].iloc[0]
    monkeypatch.delenv("MANYSEEDS_NUMPY_FAULT")
    again = manyseeds("run", "--resume", newest(results).folder, "--results", results)
    assert again.status == 0
    assert set(newest(results).records()["status"]) == {"ok"}


def test_backends_side_by_side_train_the_same_as_one_after_the_other(
    manyseeds, tiny, results, second_backend, monkeypatch
):
    both = ("run", tiny(), "--backend", "numpy", "--backend", "second", "--results", results)
    assert manyseeds(*both).status == 0
    alone = newest(results)
    answer = manyseeds(*both, "--beside", "3")
    assert answer.status == 0
    beside = newest(results)
    most = min(2, host.cores())
    assert (alone.plan.beside, beside.plan.beside) == (1, most)
    assert alone.plan.threads is None
    assert beside.plan.threads == (host.cores() // most if most > 1 else None)
    assert values(beside).equals(values(alone))
    assert set(beside.provenance[-1]["backends"]) == {"numpy", "second"}


def test_side_by_side_the_death_of_one_is_not_the_others(
    manyseeds, tiny, results, second_backend, monkeypatch
):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "kill:warm:0")
    both = ("--backend", "numpy", "--backend", "second", "--beside", "2")
    answer = manyseeds("run", tiny(), *both, "--results", results)
    assert answer.status == 1
    ledger = newest(results)
    # Both are NumPy: each loses its own jobs with that phase, and no other.
    failed = ledger.records().query("status != 'ok'")
    assert set(failed["recipe"]) == {"never_freeze"}
    assert set(failed["backend"]) == {"numpy", "second"}
    monkeypatch.delenv("MANYSEEDS_NUMPY_FAULT")
    assert manyseeds("run", "--resume", ledger.folder, "--results", results).status == 0


def test_side_by_side_on_one_gpu_is_refused(train, tiny):
    answer, ledger = train(tiny(), "--beside", "2", "--device", "cuda")
    assert answer.status == 2
    assert "--beside 2: backends would share one GPU" in answer.err
    assert ledger is None


def test_a_backend_that_refuses_to_open_is_told(train, tiny, monkeypatch):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "refuse")
    answer, ledger = train(tiny())
    assert answer.status == 2
    assert "the numpy backend was asked to refuse" in answer.err
    assert set(ledger.records()["status"]) == {"missing"}


def test_a_backend_that_breaks_on_opening_fails_its_rows_and_can_be_resumed(
    train, resume, tiny, monkeypatch, undisturbed
):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "broken")
    answer, ledger = train(tiny())
    assert answer.status == 1
    records = ledger.records()
    assert set(records["status"]) == {"failed"}
    assert set(records["reason"].str.partition("; see ")[0]) == {
        "backend 'numpy' did not start: the worker ended with status 1: "
        "ImportError: the numpy backend was asked to break"
    }
    log = (ledger.folder / "logs" / "numpy.log").read_text()
    assert log.count("ImportError: the numpy backend was asked to break") == 2  # it was tried twice
    monkeypatch.delenv("MANYSEEDS_NUMPY_FAULT")
    assert resume(ledger).status == 0
    assert values(ledger).equals(undisturbed)


def test_a_recipe_a_backend_cannot_train_is_shown_and_not_promised(train, tiny, monkeypatch):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "unsupported:scratch")
    answer, ledger = train(tiny())
    assert answer.status == 0
    assert "numpy cannot train scratch: a test wants it so" in answer.out
    assert statuses(ledger) == {"transfer": {"ok": 3}, "never_freeze": {"ok": 3}}


# ---------------------------------------------------------------- divergence

WILD = ('[[recipes]]\nname = "scratch"\nphases = ["scratch"]',
        '[[recipes]]\nname = "scratch"\nphases = [{ use = "scratch", rate = 1e30 }]')  # fmt: skip


def test_a_rate_that_makes_every_lane_diverge_is_told(train, tiny):
    answer, ledger = train(tiny(WILD))
    assert answer.status == 1
    assert statuses(ledger)["scratch"] == {"diverged": 3}
    assert statuses(ledger)["transfer"] == {"ok": 3}
    records = ledger.records().set_index("recipe").loc["scratch"]
    assert set(records["reason"]) == {"loss not finite from epoch 1, phase 'scratch' on"}
    assert "3 diverged" in answer.out + answer.err


def test_divergence_that_is_expected_counts_as_delivered(train, tiny):
    answer, ledger = train(tiny((WILD[0], WILD[1] + "\nexpect_divergence = true")))
    assert answer.status == 0
    assert statuses(ledger)["scratch"] == {"diverged": 3}


def test_one_lane_that_diverges_leaves_the_others_as_without_it(
    train, tiny, monkeypatch, undisturbed
):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "nan:scratch:1")
    answer, ledger = train(tiny(), "--seeds", "2")
    assert answer.status == 1
    assert statuses(ledger)["scratch"] == {"ok": 1, "diverged": 1}
    ours, theirs = (
        frame[(frame["seed"] < 2) & ((frame["recipe"] != "scratch") | (frame["seed"] == 0))]
        for frame in (values(ledger), undisturbed)
    )
    assert ours.reset_index(drop=True).equals(theirs.reset_index(drop=True))


# ---------------------------------------------------------------- workers that die, hang, fail


@pytest.mark.parametrize("fault", ["kill", "raise"])
def test_a_worker_that_dies_costs_only_its_own_rows(
    train, resume, tiny, monkeypatch, undisturbed, fault
):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", f"{fault}:warm:0")
    answer, ledger = train(tiny())
    assert answer.status == 1
    assert statuses(ledger) == {
        "scratch": {"ok": 3},
        "transfer": {"ok": 3},
        "never_freeze": {"failed": 3},
    }
    (reason,) = set(ledger.records().set_index("recipe").loc["never_freeze", "reason"])
    assert reason.startswith({"kill": "the worker was killed", "raise": "ArithmeticError"}[fault])
    assert "--resume" in answer.out

    monkeypatch.delenv("MANYSEEDS_NUMPY_FAULT")
    answer = resume(ledger)
    assert answer.status == 0
    assert_all_delivered_once(ledger)
    assert values(ledger).equals(undisturbed)
    attempts = ledger.records().groupby("recipe")["attempt"].max()
    assert attempts.to_dict() == {"scratch": 1, "transfer": 1, "never_freeze": 2}


def test_a_job_that_fails_again_stays_failed_with_a_further_attempt(
    train, resume, tiny, monkeypatch
):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "raise:warm:0")
    _, ledger = train(tiny())
    assert resume(ledger).status == 1
    records = ledger.records()
    assert records[records["status"] == "failed"]["attempt"].tolist() == [2, 2, 2]


def test_a_hanging_worker_is_given_up_after_the_timeout(train, tiny, monkeypatch):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "hang:warm:0")
    answer, ledger = train(tiny(), "--seeds", "2", "--timeout", "15")
    assert answer.status == 1
    assert statuses(ledger) == {
        "scratch": {"ok": 2},
        "transfer": {"ok": 2},
        "never_freeze": {"timed_out": 2},
    }
    assert "no epoch ended within 15 s" in set(ledger.records()["reason"].dropna())
    assert workers_of(os.getpid()) == []


@pytest.fixture
def started(monkeypatch):
    """The worker processes that were started."""
    from manyseeds.execution.workers import BackendWorker

    processes, start = [], BackendWorker.start

    def noted(*arguments):
        processes.append(start(*arguments))
        return processes[-1]

    monkeypatch.setattr(BackendWorker, "start", noted)
    return processes


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone counts mappings")
def test_a_worker_that_can_map_little_more_memory_makes_way_for_another(
    manyseeds, tiny, results, started, monkeypatch
):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "crowd:scratch:0")
    answer = manyseeds("run", tiny(), "--backend", "numpy", "--results", results)
    assert answer.status == 0
    (ledger,) = ledgers(results)
    trained = ledger.records().drop_duplicates("job")
    crowding = trained["recipe"] == "scratch"
    assert len(started) == 1 + crowding.iloc[:-1].sum()
    assert set(ledger.records()["status"]) == {"ok"}
    assert workers_of(os.getpid()) == []


def test_suites_of_one_command_share_a_process_and_have_logs_of_their_own(
    manyseeds, tiny, results, started, monkeypatch
):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "raise:scratch:0")
    files = [tiny(name="one.toml"), tiny(('name = "tiny"', 'name = "two"'), name="two.toml")]
    answer = manyseeds("run", *files, "--backend", "numpy", "--results", results)
    assert answer.status == 1
    assert len(started) == 1
    for ledger in ledgers(results):
        records = ledger.records()
        failed = records[records["status"] == "failed"]["job"].nunique()
        assert failed == 2
        log = (ledger.folder / "logs" / "numpy.log").read_text()
        assert log.count("Traceback") == failed
    assert workers_of(os.getpid()) == []


def workers_of(pid):
    """Return the worker processes below a process."""
    children = psutil.Process(pid).children(recursive=True)
    return [
        child for child in children if "manyseeds.execution.worker" in " ".join(child.cmdline())
    ]


# ---------------------------------------------------------------- runs that are stopped


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def begun(start, suite, results, **environment):
    """Start a slow run and return its process once the first job is in the ledger."""
    process = start(
        "run", suite, "--backend", "numpy", "--results", results,
        MANYSEEDS_NUMPY_FAULT="slow:0.15", **environment,
    )  # fmt: skip
    wait_for(lambda: list(results.glob("*/records/*.parquet")))
    return process


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(start, resume, tiny, results, undisturbed):
    process = begun(start, tiny(), results)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    ledger = newest(results)
    assert process.returncode == 1
    assert "Traceback" not in said
    assert f"manyseeds run --resume {ledger.folder.name} --results" in said
    kept = Counter(ledger.records()["status"])
    assert kept["ok"] >= 2
    assert kept["missing"] >= 1
    assert set(kept) == {"ok", "missing"}
    assert f"{kept['ok']} of 9 trainings are recorded" in said.replace("\n", " ")
    assert resume(ledger).status == 0
    assert values(ledger).equals(undisturbed)


def test_a_killed_run_is_resumed_to_exactly_what_was_promised(
    start, resume, tiny, results, undisturbed
):
    process = begun(start, tiny(), results)
    (worker,) = workers_of(process.pid)
    process.kill()
    process.wait()
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 10)
    ledger = newest(results)
    assert "missing" in set(ledger.records()["status"])
    assert resume(ledger).status == 0
    assert_all_delivered_once(ledger)
    assert values(ledger).equals(undisturbed)
    assert not list((ledger.folder / "checkpoints").iterdir())
    assert resume(ledger).status == 0  # nothing is left to do, nothing is done
    assert ledger.records()["attempt"].max() == 1


def test_no_worker_outlives_a_killed_run_not_even_one_that_hangs(start, tiny, results, tmp_path):
    trace = tmp_path / "trace"
    process = start(
        "run", tiny(), "--backend", "numpy", "--results", results,
        MANYSEEDS_NUMPY_FAULT="hang:scratch:0", MANYSEEDS_NUMPY_TRACE=str(trace),
    )  # fmt: skip
    wait_for(trace.exists)
    (worker,) = workers_of(process.pid)
    process.kill()
    process.wait()
    try:
        worker.wait(10)
    finally:
        if worker.is_running():
            worker.kill()


def test_no_process_of_the_parity_kit_outlives_it_when_it_is_killed(
    start, second_backend, tmp_path
):
    trace = tmp_path / "trace"
    process = start(
        "parity", "--backend", "numpy", "--backend", "second", "--recipe", "elu_he_momentum",
        MANYSEEDS_NUMPY_FAULT="slow:3600", MANYSEEDS_NUMPY_TRACE=str(trace),
    )  # fmt: skip
    wait_for(trace.exists)
    children = psutil.Process(process.pid).children(recursive=True)
    followers = [each for each in children if "conformance" in " ".join(each.cmdline())]
    assert followers
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(followers, timeout=10)
    for each in alive:
        each.kill()
    assert not alive


def test_a_run_in_progress_is_not_resumed_by_another(start, resume, tiny, results):
    process = begun(start, tiny(), results)
    answer = resume(newest(results))
    assert answer.status == 2
    assert "is being written by another process" in answer.err
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert_all_delivered_once(newest(results))


def test_two_runs_at_once_do_not_meet(start, tiny, results, undisturbed):
    command = ("run", tiny(), "--backend", "numpy", "--results", results)
    processes = [start(*command), start(*command)]
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    folders = sorted(path.parent for path in results.glob("*/plan.json"))
    assert len(folders) == 2
    for folder in folders:
        assert values(Ledger.open(folder)).equals(undisturbed)


def test_an_edited_suite_is_not_resumed_and_the_difference_is_shown(train, resume, tiny):
    _, ledger = train(tiny(), "--recipe", "scratch")
    tiny(("rate = 0.01", "rate = 0.02"))
    answer = resume(ledger)
    assert answer.status == 2
    assert "has changed since run" in answer.err
    assert "-rate = 0.01" in answer.err
    assert "+rate = 0.02" in answer.err
    tiny()
    assert resume(ledger).status == 0


def test_a_run_whose_suite_is_gone_is_resumed_from_its_plan(train, resume, tiny):
    _, ledger = train(tiny(), "--recipe", "scratch")
    Path(ledger.plan.suite_file).unlink()
    assert resume(ledger).status == 0


@pytest.mark.parametrize("option", ["--seeds 5", "--quick", "--lanes 1", "--precision float64"])
def test_a_resumed_run_takes_no_other_wishes(train, resume, tiny, option):
    _, ledger = train(tiny(), "--recipe", "scratch")
    answer = resume(ledger, *option.split())
    assert answer.status == 2
    assert "--resume continues a run as planned" in answer.err


def test_an_unknown_run_is_refused_with_the_nearest(train, manyseeds, tiny, results):
    _, ledger = train(tiny(), "--recipe", "scratch")
    answer = manyseeds("run", "--resume", ledger.folder.name[:-1], "--results", results)
    assert answer.status == 2
    assert f"Did you mean '{ledger.folder.name}'?" in answer.err


def test_a_damaged_record_is_told_and_made_good_by_resuming(train, resume, tiny, undisturbed):
    _, ledger = train(tiny())
    damaged = next(iter(sorted((ledger.folder / "records").iterdir())))
    damaged.write_bytes(damaged.read_bytes()[:100])
    answer = resume(ledger)
    assert answer.status == 1
    assert f"{damaged.name} is damaged" in answer.err.replace("\n", "")
    damaged.unlink()
    assert resume(ledger).status == 0
    assert values(ledger).equals(undisturbed)


def test_a_damaged_checkpoint_is_trained_again(train, resume, tiny, monkeypatch, undisturbed):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "raise:warm:0")
    _, ledger = train(tiny())
    checkpoints = list((ledger.folder / "checkpoints").glob("*.npz"))
    assert checkpoints
    for path in checkpoints:
        path.write_bytes(path.read_bytes()[:-200])
    monkeypatch.delenv("MANYSEEDS_NUMPY_FAULT")
    assert resume(ledger).status == 0
    assert values(ledger).equals(undisturbed)


# ---------------------------------------------------------------- a full disk


@pytest.fixture
def small_disk(tmp_path):
    """A file system with little room, where mounting one is allowed."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_the_run_and_room_lets_it_go_on(
    start, manyseeds, tiny, small_disk, undisturbed
):
    process = begun(start, tiny(), small_disk)
    with pytest.raises(OSError, match="No space"), (small_disk / "filler").open("wb") as file:
        file.write(b"x" * 2**20)
    _, said = process.communicate(timeout=60)
    ledger = newest(small_disk)
    assert process.returncode == 1
    assert "Traceback" not in said
    assert "No space left on device" in said
    assert f"--resume {ledger.folder.name}" in said.replace("\n", " ")
    assert "ok" in set(ledger.records()["status"])
    (small_disk / "filler").unlink()
    answer = manyseeds("run", "--resume", ledger.folder.name, "--results", small_disk)
    assert answer.status == 0
    assert values(ledger).equals(undisturbed)


# ---------------------------------------------------------------- the same again


def test_the_same_run_twice_is_the_same_bit_for_bit(train, tiny, undisturbed):
    answer, ledger = train(tiny())
    assert answer.status == 0
    found = values(ledger)
    assert found.equals(undisturbed)
    assert found["test_accuracy"].notna().all()
    curves = ledger.curves()
    assert len(curves) == 3 * (2 + 5 + 5)


def test_the_number_of_lanes_and_a_solo_training_change_nothing(train, tiny, undisturbed):
    _, ledger = train(tiny(), "--lanes", "1", "--solo", "1")
    records = ledger.records()
    assert Counter(records["mode"]) == {"cohort": 9, "solo": 3}
    metrics = ["test_loss", "test_accuracy", "valid_loss", "train_loss"]
    cohort = records[records["mode"] == "cohort"].sort_values(ROW_KEY)
    assert cohort[metrics].to_numpy().tolist() == undisturbed[metrics].to_numpy().tolist()
    solo = records[records["mode"] == "solo"].sort_values(ROW_KEY)
    alone = undisturbed[undisturbed["seed"] == 0]
    assert solo[metrics].to_numpy().tolist() == alone[metrics].to_numpy().tolist()


def test_recipes_that_share_their_pretraining_train_it_once(
    train, tiny, monkeypatch, tmp_path, undisturbed
):
    trace = tmp_path / "trace"
    monkeypatch.setenv("MANYSEEDS_NUMPY_TRACE", str(trace))
    _, ledger = train(tiny())
    epochs = Counter(line.split()[0] for line in trace.read_text().splitlines())
    # Two cohorts, of two lanes and of one; two recipes start with `pretrain`, of two epochs.
    assert epochs == {"scratch": 4, "pretrain": 4, "frozen": 2, "warm": 2, "finetune": 8}
    records = ledger.records().set_index("recipe")
    assert (records.loc["transfer", "seconds_shared"] == 0).all()
    assert (records.loc["never_freeze", "seconds_shared"] > 0).all()
    assert values(ledger).equals(undisturbed)


def test_sharing_changes_no_number(train, tiny, undisturbed):
    _, ledger = train(tiny(), "--recipe", "never_freeze")  # nobody to share with
    expected = undisturbed[undisturbed["recipe"] == "never_freeze"].drop(columns="job")
    found = values(ledger).drop(columns="job")
    assert found.equals(expected.reset_index(drop=True))
    assert (ledger.records()["seconds_shared"] == 0).all()


def test_reusing_all_layers_is_the_same_as_one_rate(train, tiny):
    suite = tiny(("[[claims]]", '[[recipes]]\nname = "reuse_2"\nphases = ["pretrain", '
                  '{ use = "frozen", reuse = 2 }, "finetune"]\n\n[[claims]]'))  # fmt: skip
    together, apart = (
        [train(suite, *options)[1].records() for options in runs]
        for runs in (
            [("--recipe", "transfer", "--recipe", "reuse_2")],
            [("--recipe", "transfer"), ("--recipe", "reuse_2")],
        )
    )
    for records in (together[0], pd.concat(apart)):
        one, all_layers = (
            records[records["recipe"] == name]
            .drop(columns=["recipe", "job", *VOLATILE])
            .reset_index(drop=True)
            for name in ("transfer", "reuse_2")
        )
        assert len(one) == 3
        assert one.equals(all_layers)


def test_shared_layers_are_scored_on_the_task_they_came_from(train, tiny):
    _, ledger = train(
        tiny(('{ use = "frozen", name = "warm", frozen = [] }, "finetune"',
              '{ use = "frozen", name = "warm", frozen = [], shared = true },'
              '{ use = "finetune", shared = true }')),
        "--recipe", "never_freeze",
    )  # fmt: skip
    records = ledger.records()
    assert records["source_accuracy_before"].between(0, 1).all()
    assert (records["source_accuracy_before"] != records["source_accuracy_after"]).any()
