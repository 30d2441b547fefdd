"""Plans: which rows are promised, in which order, in which cohorts."""

from types import SimpleNamespace

import pytest

from manyseeds.errors import RequestError
from manyseeds.execution import planner
from manyseeds.execution.memory import bytes_per_lane, lanes_that_fit
from manyseeds.execution.planner import make_plan
from manyseeds.execution.request import Options
from manyseeds.ledger.plan import Plan
from manyseeds.ledger.planned_suite import planned_suite
from manyseeds.suite.files import read_suite

VARIANCE = '[variance]\nrecipes = ["scratch"]\nstreams = ["init", "order"]\nseeds = 2\n\n[[claims]]'
NUMPY = ("numpy",)


@pytest.fixture
def planned(tiny):
    def make(*changes, **options):
        given = {"backends": NUMPY} | options
        return make_plan(read_suite(str(tiny(*changes))), Options(**given))

    return make


def jobs(planned, mode="cohort"):
    return [(j.recipe, j.seeds, j.vary) for j in planned.plan.jobs if j.mode == mode]


def recipes(planned):
    return {job.recipe for job in planned.plan.jobs}


def test_recipes_follow_each_other_within_a_set_of_seeds(planned):
    # So that the phases they share are soon reused.
    every = "init+order+dropout+augment"
    assert jobs(planned()) == [
        (recipe, seeds, every)
        for seeds in ((0, 1), (2,))
        for recipe in ("scratch", "transfer", "never_freeze")
    ]


def test_jobs_are_numbered_in_the_order_of_training_and_promise_each_row_once(planned):
    plan = planned(("[[claims]]", VARIANCE), solo=2).plan
    assert [job.id for job in plan.jobs] == list(range(len(plan.jobs)))
    rows = list(plan.rows())
    assert len(rows) == len(set(rows)) == 9 + 2 * 2 + 2 * 3
    assert plan.backends() == NUMPY


def test_solo_rows_come_last_and_are_alone(planned):
    plan = planned(solo=2).plan
    assert [job.mode for job in plan.jobs] == ["cohort"] * 6 + ["solo"] * 6
    expected = [(r, (s,)) for s in (0, 1) for r in ("scratch", "transfer", "never_freeze")]
    assert [job[:2] for job in jobs(planned(solo=2), "solo")] == expected
    assert jobs(planned(), "solo") == []


def test_the_variance_study_varies_one_stream_at_a_time(planned):
    found = jobs(planned(("[[claims]]", VARIANCE)))
    assert found[6:] == [("scratch", (0, 1), "init"), ("scratch", (0, 1), "order")]


def test_the_variance_study_is_left_out_where_streams_are_chosen_by_hand(planned):
    found = jobs(planned(("[[claims]]", VARIANCE), vary=("init", "split")))
    assert {vary for _, _, vary in found} == {"init+split"}
    assert len(found) == 6


def test_a_studied_stream_that_the_suite_varies_alone_promises_no_row_twice(planned):
    plan = planned(("[[claims]]", VARIANCE), ("lanes = 2", 'lanes = 2\nvaried = ["init"]')).plan
    rows = list(plan.rows())
    assert len(rows) == len(set(rows)) == 9 + 2


def test_the_variance_study_has_no_more_seeds_than_are_asked_for(planned):
    found = jobs(planned(("[[claims]]", VARIANCE), seeds=1))
    assert {seeds for _, seeds, _ in found} == {(0,)}


def test_what_is_asked_for_beside_the_suite_is_in_the_plan(planned):
    plan = planned(
        seeds=4, lanes=3, recipes=("scratch",), precision="float64", threads=1, deterministic=False
    ).plan
    assert jobs(SimpleNamespace(plan=plan)) == [
        ("scratch", seeds, "init+order+dropout+augment") for seeds in ((0, 1, 2), (3,))
    ]
    assert (plan.precision, plan.threads, plan.deterministic) == ("float64", 1, False)


def test_a_plan_holds_the_suite_as_read_and_its_digest(planned, tiny):
    plan = planned().plan
    text = tiny().read_text(encoding="utf-8")
    assert plan.suite_text == text
    assert plan.suite_sha256 == read_suite(str(tiny())).sha256
    assert plan.suite_file == str(tiny())
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    along = make_plan(read_suite("transfer", quick=True), Options(backends=NUMPY)).plan
    assert along.suite_file == "transfer.toml"
    assert along.run.startswith("transfer-quick-")


def test_a_plan_whose_suite_is_no_longer_read_is_named_with_the_fault(planned, tiny):
    plan = planned().plan
    assert planned_suite(plan) == read_suite(str(tiny())).suite
    other = plan.model_copy(update={"suite_text": "sed = 3\n" + plan.suite_text})
    with pytest.raises(RequestError, match=rf"run '{plan.run}' was planned by.*provenance.*'sed'"):
        planned_suite(other)


def test_two_plans_have_two_names(planned):
    assert len({planned().plan.run for _ in range(5)}) == 5


def test_a_recipe_a_backend_cannot_train_is_not_promised_but_named(planned, monkeypatch):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "unsupported:scratch")
    found = planned()
    assert recipes(found) == {"transfer", "never_freeze"}
    (left_out,) = found.plan.unsupported
    assert (left_out.backend, left_out.recipe) == ("numpy", "scratch")
    assert left_out.reason == "a test wants it so"


# ---------------------------------------------------------------- backends


class Entry:
    install = "pip install it"

    def __init__(self, name, *requires):
        self.name, self.requires = name, requires

    def unsupported(self, recipe):
        return None

    def free_memory(self, device):
        return None


def entries(monkeypatch, *found):
    known = {entry.name: entry for entry in found}
    monkeypatch.setattr(planner, "backend_entries", lambda: known)
    monkeypatch.setattr("manyseeds.backend.discovery.backend_entries", lambda: known)


PRESENT, ABSENT = Entry("here", "numpy"), Entry("gone", "no_such_module", "numpy")


def test_an_absent_backend_is_refused_by_name_and_left_out_otherwise(planned, monkeypatch):
    entries(monkeypatch, PRESENT, ABSENT)
    with pytest.raises(RequestError, match=r"'gone' is not installed: no module no_such_module "):
        planned(backends=("gone",))
    found = planned(backends=())
    assert found.plan.backends() == ("here",)
    (notice,) = found.notices
    assert "backend 'gone' is left out: no module no_such_module" in notice
    assert "pip install it" in notice


def test_without_any_backend_the_ways_to_get_one_are_told(planned, monkeypatch):
    entries(monkeypatch, ABSENT)
    with pytest.raises(RequestError, match=r"no backend is installed\. Install one with: pip inst"):
        planned(backends=())


def test_every_backend_trains_every_row_and_naming_one_twice_changes_nothing(planned, monkeypatch):
    entries(monkeypatch, PRESENT, Entry("there", "numpy"))
    plan = planned(backends=()).plan
    assert plan.backends() == ("here", "there")
    assert len(list(plan.rows())) == 18
    assert planned(backends=("here", "here")).plan.backends() == ("here",)


# ---------------------------------------------------------------- requests that are wrong


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"backends": ("numpi",)}, r"unknown backend 'numpi'. Did you mean 'numpy'\?"),
        ({"recipes": ("scrach",)}, r"unknown recipe 'scrach'. Did you mean 'scratch'\?"),
        ({"vary": ("ordre",)}, r"unknown stream 'ordre'. Did you mean 'order'\?"),
        ({"vary": ("init", "init")}, "--vary init"),
        ({"seeds": 0}, "--seeds 0: expected at least 1"),
        ({"lanes": 0}, "--lanes 0: expected at least 1"),
        ({"threads": 0}, "--threads 0: expected at least 1"),
        ({"memory": 0}, "memory = 0: expected at least 1 byte"),
        ({"solo": -1}, "--solo -1: expected 0 or more"),
        ({"seeds": 10**9}, "--seeds 1000000000: expected at most 100000"),
        ({"lanes": 10**9}, "--lanes 1000000000: expected at most 100000"),
        ({"solo": 10**9}, "--solo 1000000000: expected at most 100000"),
    ],
)
def test_unknown_names_and_numbers_out_of_range_are_refused(planned, options, told):
    with pytest.raises(RequestError, match=told):
        planned(**options)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("units = 3", "units = 2"), "has 2 outputs for the 3 classes of task 'source'"),
        (("classes = [0, 1, 2]\n", ""), "has 3 outputs for the 10 classes of task 'source'"),
        (("units = 1", "units = 2"), "has 2 logistic outputs: expected 1 unit"),
        (("classes = [5, 6]\n", ""), "tells two classes apart, task 'target' has 10"),
        (
            ('[tasks.source]\ndataset = "fashion-mnist-12k"', '[tasks.source]\ndataset = "digits"'),
            "recipe 'transfer': phase 'frozen' reuses 'hidden1' of phase 'pretrain'",
        ),
        (("[8, 8]", "[8, 9]\nskip = 1"), "adds the 8 units of 'stem' to 9 units"),
        (('"fashion-mnist-12k"', '"digit"'), r"unknown dataset 'digit'. Did you mean 'digits'\?"),
    ],
)
def test_networks_that_do_not_fit_their_data_are_refused(planned, change, told):
    with pytest.raises(RequestError, match=told):
        planned(change)


@pytest.mark.parametrize("varied", ['["init"]', '["init", "order"]'])
def test_rows_are_counted_before_they_are_made(planned, varied, monkeypatch):
    changes = ("lanes = 2", f"lanes = 2\nsolo = 1\nvaried = {varied}"), ("[[claims]]", VARIANCE)
    rows = len(list(planned(*changes).plan.rows()))
    assert rows == 3 * (3 + 1) + 2 * (varied.count('"') // 2)
    monkeypatch.setattr(planner, "MOST_ROWS", rows)
    planned(*changes)
    monkeypatch.setattr(planner, "MOST_ROWS", rows - 1)
    with pytest.raises(RequestError, match=rf"{rows} trainings on 1 backends.*at most {rows - 1}"):
        planned(*changes)


def test_a_plan_of_too_many_rows_is_refused_at_once(planned):
    recipes = "".join(f'[[recipes]]\nname = "r{n}"\nphases = ["scratch"]\n' for n in range(7))
    with pytest.raises(RequestError, match=r"2,000,000 trainings on 1 backends.*at most 1,000,000"):
        planned(("seeds = 3", "seeds = 100000"), ("[[claims]]", f"{recipes}[[claims]]"), solo=10**5)


# ---------------------------------------------------------------- memory


def test_cohorts_are_split_where_memory_asks_for_it_and_it_is_told(planned, tiny):
    suite = read_suite(str(tiny())).suite
    phases = [phase for cell in suite.cells for phase in cell.recipe.phases]
    lane = max(bytes_per_lane(phase, "float32") for phase in phases)
    enough = planned(memory=2 * lane)
    assert enough.notices == ()
    assert {len(job.seeds) for job in enough.plan.jobs} == {2, 1}
    split = planned(memory=2 * lane - 1)
    assert {job.seeds for job in split.plan.jobs} == {(0,), (1,), (2,)}
    (notice,) = split.notices
    assert "cohorts are split: 2 lanes would not fit" in notice
    assert "1 do" in notice
    with pytest.raises(RequestError, match="not even one lane fits"):
        planned(memory=lane - 1)


def test_a_lane_needs_memory_for_its_weights_and_its_widest_batch(tiny):
    phase = read_suite(str(tiny())).suite.recipe("scratch", "").phases[0]
    weights = 784 * 8 + 8 + 8 * 8 + 8 + 8 + 1
    activations = 4 * 32 * (784 + 8 + 8 + 1)
    assert bytes_per_lane(phase, "float32") == 4 * (8 * weights + activations)
    assert bytes_per_lane(phase, "float64") == 2 * bytes_per_lane(phase, "float32")
    assert lanes_that_fit(phase, "float32", 10 * bytes_per_lane(phase, "float32") - 1) == 9


def test_the_memory_of_a_cohort_is_what_the_backend_with_least_has_free(planned, monkeypatch, tiny):
    suite = read_suite(str(tiny())).suite
    phases = [phase for cell in suite.cells for phase in cell.recipe.phases]
    lane = max(bytes_per_lane(phase, "float32") for phase in phases)
    roomy, tight = Entry("roomy", "numpy"), Entry("tight", "numpy")
    roomy.free_memory = lambda device: int(10 * lane / planner.MEMORY_SHARE)
    tight.free_memory = lambda device: int(1.5 * lane / planner.MEMORY_SHARE)
    entries(monkeypatch, roomy, tight, PRESENT)
    assert {len(job.seeds) for job in planned(backends=("roomy",)).plan.jobs} == {2, 1}
    together = planned(backends=("roomy", "here", "tight")).plan
    assert {len(job.seeds) for job in together.jobs} == {1}
