"""Reading valid suites: short forms, cases and quick forms resolve."""

import itertools
import tomllib

import pytest

from manyseeds.errors import RequestError
from manyseeds.suite.files import read_suite, suite_names
from manyseeds.suite.reader import parse_suite
from manyseeds.techniques.early_stopping import EarlyStopping
from tests.suite.tiny_suite import TINY


def test_short_forms_resolve():
    suite = parse_suite(TINY, "tiny.toml")
    transfer = suite.recipe("transfer", "")
    pretrain, frozen, finetune = transfer.phases
    assert frozen.reuse == frozen.frozen == ("hidden1", "hidden2")
    assert finetune.reuse == "all"
    assert suite.recipe("never_freeze", "").phases[1].frozen == ()
    assert pretrain.task.classes == (0, 1, 2)
    assert [layer.units for layer in pretrain.network.dense()] == [8, 8, 3]
    assert suite.cases() == ("",)


def test_changes_of_a_phase_apply_to_that_recipe_alone():
    stopping = "early_stopping = { patience = 3 }, rate = 0.5"
    text = TINY.replace('phases = ["scratch"]', f'phases = [{{ use = "scratch", {stopping} }}]')
    suite = parse_suite(text, "tiny.toml")
    (phase,) = suite.recipe("scratch", "").phases
    assert phase.early_stopping == EarlyStopping(patience=3)
    assert phase.rate == 0.5
    assert suite.recipe("transfer", "").phases[2].rate == 0.01


def test_each_pair_makes_a_case_of_the_recipes_that_depend_on_it():
    text = TINY.replace("classes = [5, 6]", 'classes = "pair"').replace(
        "[[5, 6]]", "[[5, 6], [2, 9]]"
    )
    text = text.replace("classes = [0, 1, 2]", 'classes = "rest"')
    suite = parse_suite(text, "tiny.toml")
    assert suite.cases() == ("5-6", "2-9")
    pretrain, frozen, _ = suite.recipe("transfer", "2-9").phases
    assert pretrain.task.classes == (0, 1, 3, 4, 5, 6, 7, 8)
    assert frozen.task.classes == (2, 9)


def test_all_pairs_are_the_45_of_ten_classes():
    text = TINY.replace("classes = [5, 6]", 'classes = "pair"').replace("[[5, 6]]", '"all"')
    suite = parse_suite(text, "tiny.toml")
    expected = [f"{a}-{b}" for a, b in itertools.combinations(range(10), 2)]
    assert list(suite.cases()) == expected
    assert len(expected) == 45
    assert len(read_suite("transfer_pairs").suite.cases()) == 45


def test_the_quick_form_replaces_single_keys():
    text = (
        TINY
        + "[quick]\nseeds = 1\n[quick.tasks.target]\nvalid = 150\n"
        + "[quick.phases.scratch]\nepochs = 1\n"
    )
    full, quick = parse_suite(text, "t"), parse_suite(text, "t", quick=True)
    assert (full.seeds, quick.seeds, quick.lanes) == (3, 1, 2)
    before, after = (s.recipe("scratch", "").phases[0] for s in (full, quick))
    assert (before.task.valid, after.task.valid) == (200, 150)
    assert after.task.classes == before.task.classes
    assert (before.epochs, after.epochs) == (2, 1)
    assert after.rate == before.rate


@pytest.mark.parametrize("name", suite_names())
@pytest.mark.parametrize("quick", [False, True])
def test_every_bundled_suite_can_be_read(name, quick):
    suite = read_suite(name, quick=quick).suite
    assert suite.name == name
    if quick:
        tasks = {phase.task for cell in suite.cells for phase in cell.recipe.phases}
        assert {task.dataset for task in tasks} <= {"fashion-mnist-12k", "digits", "gaussian"}


def test_a_quick_form_changes_claims_by_name():
    more = "[quick.claims.transfer_helps]\nleast_effect = 0.2\n"
    claims = tomllib.loads(TINY)["claims"]
    text = TINY + more.replace("transfer_helps", claims[0]["name"])
    assert parse_suite(text, "tiny.toml", quick=True).claims[0].least_effect == 0.2
    assert parse_suite(text, "tiny.toml").claims[0].least_effect == claims[0]["least_effect"]
    with pytest.raises(RequestError) as refused:
        parse_suite(TINY + more.replace("transfer_helps", "tranfser"), "tiny.toml", quick=True)
    assert str(refused.value).startswith("tiny.toml: quick.claims: unknown claim 'tranfser'")


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("[quick.tasks.tarjet]\nvalid = 9", "quick.tasks: unknown task 'tarjet'. Did you mean"),
        ("[quick.networks.n]\nhidden = [2]", "quick.networks: unknown network 'n'."),
        ("[quick.phases.scrach]\nepochs = 1", "quick.phases: unknown phase 'scrach'. Did you"),
    ],
)  # fmt: skip
def test_a_table_of_the_quick_form_that_changes_nothing_is_refused(table, problem):
    parse_suite(f"{TINY}{table}\n", "tiny.toml")
    with pytest.raises(RequestError) as refused:
        parse_suite(f"{TINY}{table}\n", "tiny.toml", quick=True)
    assert str(refused.value).startswith(f"tiny.toml: {problem}")


def test_a_quick_form_may_have_networks_and_phases_of_its_own():
    small = '[quick.networks.n]\nhidden = [2]\noutput = { units = 1, activation = "logistic" }\n'
    text = f'{TINY}{small}[quick.phases.scratch]\nnetwork = "n"\n'
    (phase,) = parse_suite(text, "tiny.toml", quick=True).recipe("scratch", "").phases
    assert [layer.units for layer in phase.network.dense()] == [2, 1]
