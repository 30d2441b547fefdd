"""Reading suites: errors name file, key and remedy; valid suites resolve to what they say."""

import copy
import itertools
import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyseeds.errors import RequestError
from manyseeds.suite.files import find_suite, read_suite, suite_names
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.suite import Suite
from manyseeds.techniques.early_stopping import EarlyStopping

TINY = (Path(__file__).parents[1] / "tiny.toml").read_text(encoding="utf-8")

VARIANCE = '[variance]\nrecipes = ["scratch"]\nstreams = ["init"]\nseeds = 2\n'


def mistake(*changes, quick=False):
    """Return the error message for the tiny suite after changes that make it invalid."""
    text = TINY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(RequestError) as refused:
        parse_suite(text, "tiny.toml", quick=quick)
    assert refused.value.exit_status == 2
    return str(refused.value)


MISTAKES = {
    "unknown key of a suite": (
        ('seeds = 3', 'sedes = 3'),
        ["tiny.toml: unknown key 'sedes'", "Did you mean 'seeds'?"],
    ),
    "unknown key of a task": (
        ("valid = 200\nclasses = [5, 6]", "vald = 200\nclasses = [5, 6]"),
        ["tiny.toml: tasks.target: unknown key 'vald'", "Did you mean 'valid'?"],
    ),
    "unknown key of a network": (
        ("[networks.source]", "[networks.source]\nwidth = 3"),
        ["tiny.toml: networks.source: unknown key 'width'"],
    ),
    "unknown key of a layer": (
        ("{ units = 3,", "{ unts = 3, units = 3,"),
        ["tiny.toml: networks.source.layers[2]", "unknown key 'unts'", "Did you mean 'units'?"],
    ),
    "unknown key of a phase": (
        ("epochs = 1\n", "epochs = 1\nepoch = 3\n"),
        ["tiny.toml: recipes[1].phases[1]: unknown key 'epoch'", "Did you mean 'epochs'?"],
    ),
    "unknown key of a recipe": (
        ('name = "transfer"\n', 'name = "transfer"\nexpects_divergence = true\n'),
        ["tiny.toml: recipes[1]: unknown key", "Did you mean 'expect_divergence'?"],
    ),
    "unknown key of a claim": (
        ("least_effect = 0.01", "least_effect = 0.01\nleast_efect = 0.01"),
        ["tiny.toml: claims[0]: unknown key 'least_efect'", "Did you mean 'least_effect'?"],
    ),
    "unknown key of a technique": (
        ('activation = "selu"\n', 'activation = { name = "elu", alfa = 1.0 }\n'),
        ["networks.source.layers[0]", "activation", "unknown key 'alfa'", "Did you mean 'alpha'?"],
    ),
    "unknown activation": (
        ('activation = "selu"\n', 'activation = "sellu"\n'),
        ["tiny.toml: networks.", "activation", "unknown technique 'sellu'", "Did you mean 'selu'?"],
    ),
    "unknown initialiser": (
        ('activation = "selu"\n', 'activation = "selu"\ninitialiser = "he_norm"\n'),
        ["initialiser", "unknown technique 'he_norm'", "Did you mean 'he_normal'?"],
    ),
    "unknown optimizer": (
        ("epochs = 1\n", 'epochs = 1\noptimizer = "adamm"\n'),
        ["tiny.toml: recipes[1].phases[1].optimizer: unknown technique 'adamm'", "'adam'"],
    ),
    "unknown schedule": (
        ("epochs = 1\n", 'epochs = 1\nschedule = { name = "pwer", s = 1.0 }\n'),
        ["tiny.toml: recipes[1].phases[1].schedule: unknown technique 'pwer'", "'power'"],
    ),
    "unknown scaling": (
        ("valid = 200\nclasses = [5, 6]", 'valid = 200\nscaling = "standard"'),
        ["tiny.toml: tasks.target.scaling: unknown value 'standard'", "'standardised'"],
    ),
    "unknown stream": (
        ("lanes = 2", 'lanes = 2\nvaried = ["innit"]'),
        ["tiny.toml: varied[0]: unknown value 'innit'", "'init'"],
    ),
    "unknown phase": (
        ('["pretrain", "frozen", "finetune"]', '["pretrain", "frosen", "finetune"]'),
        ["tiny.toml: recipes[1].phases[1].use: unknown phase 'frosen'", "'frozen'"],
    ),
    "unknown task": (
        ('task = "target"', 'task = "tarjet"'),
        ["recipes[0].phases[0].task: unknown task 'tarjet'", "Did you mean 'target'?"],
    ),
    "unknown network": (
        ('network = "target"', 'network = "targets"'),
        ["recipes[0].phases[0].network: unknown network 'targets'", "Did you mean 'target'?"],
    ),
    "unknown recipe in a claim": (
        ('treatment = "transfer"', 'treatment = "transfr"'),
        ["tiny.toml: ", "claim 'transfer_helps'", "'transfr'", "Did you mean 'transfer'?"],
    ),
    "unknown recipe in the variance study": (
        ("[[claims]]", VARIANCE.replace("scratch", "scrach") + "[[claims]]"),
        ["tiny.toml: variance", "unknown recipe 'scrach'", "Did you mean 'scratch'?"],
    ),
    "unknown layer to freeze": (
        ('frozen = "reused"', 'frozen = ["hiden1"]'),
        ["tiny.toml: recipes[1].phases[1]", "frozen names 'hiden1'", "hidden1"],
    ),
    "text for a number": (
        ("rate = 0.01", 'rate = "fast"'),
        ["tiny.toml: recipes[0].phases[0].rate: ", "valid number", "'fast'"],
    ),
    "a fraction for a whole number": (
        ("epochs = 2", "epochs = 2.5"),
        ["tiny.toml: recipes[0].phases[0].epochs: ", "integer", "2.5"],
    ),
    "a number for a text": (
        ('title = "Small enough for a test"', "title = 3"),
        ["tiny.toml: title: ", "valid string", "3"],
    ),
    "a number for a list": (
        ("hidden = [8, 8]", "hidden = 8"),
        ["tiny.toml: networks.source.hidden: expected a list of numbers of units"],
    ),
    "a text for a table": (
        ("[[claims]]", 'reports = "x"\n[[claims]]'),
        ["tiny.toml: recipes[2]: unknown key 'reports'"],
    ),
    "zero seeds": (("seeds = 3", "seeds = 0"), ["tiny.toml: seeds: ", "1", "not 0"]),
    "zero lanes": (("lanes = 2", "lanes = 0"), ["tiny.toml: lanes: ", "1", "not 0"]),
    "negative rate": (("rate = 0.01", "rate = -1.0"), ["phases[0].rate: ", "not -1.0"]),
    "infinite rate": (("rate = 0.01", "rate = inf"), ["phases[0].rate: ", "finite"]),
    "no effect that counts": (
        ("least_effect = 0.01", "least_effect = 0.0"),
        ["tiny.toml: claims[0].least_effect: ", "not 0.0"],
    ),
    "a class for a pair": (("[[5, 6]]", "[5, 6]"), ["tiny.toml: pairs: ", '"all"']),
    "a pair of one class": (("[[5, 6]]", "[[5, 5]]"), ["tiny.toml: pairs: ", "different"]),
    "a class that is not there": (("[[5, 6]]", "[[5, 10]]"), ["tiny.toml: pairs: "]),
    "a pair twice": (("[[5, 6]]", "[[5, 6], [5, 6]]"), ["tiny.toml: pairs: ", "twice"]),
    "no pair": (("[[5, 6]]", "[]"), ["tiny.toml: pairs: "]),
    "a word for pairs": (("[[5, 6]]", '"al"'), ["tiny.toml: pairs: ", '"all"']),
    "a word for classes": (
        ("classes = [5, 6]", 'classes = "pairs"'),
        ["tiny.toml: tasks.target.classes: ", '"pair"', '"rest"'],
    ),
    "more layers than there are": (
        ("reuse = 2", "reuse = 3"),
        ["recipes[1].phases[1].reuse: 3 hidden layers requested, but the network has 2"],
    ),
    "a network without an output": (
        ('output = { units = 3, activation = "softmax" }', ""),
        ["tiny.toml: networks.source.output: ", "`output`"],
    ),
    "no name": (('name = "tiny"', ""), ["tiny.toml: name: this key is required and missing"]),
    "no rate": (
        ("epochs = 2\nrate = 0.01", "epochs = 2"),
        ["recipes[0].phases[0].rate: this key is required and missing"],
    ),
    "a recipe without a name": (
        ('[[recipes]]\nname = "transfer"', "[[recipes]]"),
        ["tiny.toml: recipes[1].name: this key is required and missing"],
    ),
    "two recipes without a name": (
        (('name = "transfer"\n', ""), ('name = "never_freeze"\n', "")),
        ["tiny.toml: recipes[1].name: this key is required and missing"],
    ),
    "two recipes of one name": (
        ('name = "never_freeze"', 'name = "transfer"'),
        ["tiny.toml: recipes: two recipes are called 'transfer'"],
    ),
    "two phases of one name": (
        ('["pretrain", "frozen", "finetune"]', '["pretrain", "finetune", "finetune"]'),
        ["tiny.toml: recipes[1]", "two phases share a name"],
    ),
    "a stream twice": (
        ("lanes = 2", 'lanes = 2\nvaried = ["init", "init"]'),
        ["tiny.toml: varied", "twice"],
    ),
    "a studied stream twice": (
        ("[[claims]]", VARIANCE.replace('"init"', '"init", "init"') + "[[claims]]"),
        ["tiny.toml: variance", "streams", "twice"],
    ),
    "no TOML": (("seeds = 3", "seeds = "), ["tiny.toml: not TOML: ", "line 5"]),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_an_error_names_file_key_and_remedy(name):
    change, expected = MISTAKES[name]
    message = mistake(*(change if isinstance(change[0], tuple) else [change]))
    for part in expected:
        assert part in message


def test_an_error_lists_every_mistake_of_a_table():
    message = mistake(("seeds = 3", "seeds = 0"), ("lanes = 2", "lanes = 0\ncolour = 3"))
    assert len(message.splitlines()) == 3
    assert all(line.startswith("tiny.toml: ") for line in message.splitlines())


def test_a_quick_form_that_is_missing_or_no_table_is_an_error():
    assert "has no [quick] form" in mistake(quick=True)
    assert "tiny.toml: quick: " in mistake(("seeds = 3", "seeds = 3\nquick = 5"), quick=True)
    assert "tiny.toml: quick: " in mistake(("seeds = 3", "seeds = 3\nquick = 5"))


def test_a_mistake_in_the_quick_form_is_an_error():
    message = mistake(("[[claims]]", "[quick]\nseds = 1\n[[claims]]"), quick=True)
    assert "unknown key 'seds'" in message
    assert "Did you mean 'seeds'?" in message


def test_the_error_for_an_unknown_suite_suggests_the_nearest_name():
    with pytest.raises(RequestError, match=r"unknown suite 'trasfer'. Did you mean 'transfer'\?"):
        find_suite("trasfer")
    with pytest.raises(RequestError, match=r"no suite file elsewhere/none\.toml"):
        find_suite("elsewhere/none.toml")


def test_a_file_that_is_no_text_is_an_error(tmp_path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequestError, match=r"binary\.toml: cannot be read"):
        read_suite(str(path))


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.floats(allow_nan=True),
    st.sampled_from(["", "selu", "all", "pair", "reused", "x"]),
    st.lists(st.integers(-2, 11) | st.text("ab", max_size=3) | st.lists(st.integers(0, 9))),
    st.dictionaries(st.sampled_from(["name", "units", "use", "x"]), st.integers(0, 3)),
)


def places(value, path=()):
    """Yield the path of every node of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))


DOCUMENT = tomllib.loads(
    TINY + "[quick]\nseeds = 2\n[quick.tasks.target]\nvalid = 100\n" + VARIANCE
)


def toml(value):
    """Write a document as TOML, all tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value)
    return str(value).lower()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(sorted(places(DOCUMENT), key=repr)), junk=JUNK, quick=st.booleans())
def test_any_value_at_any_place_gives_a_suite_or_a_request_error(place, junk, quick):
    document = copy.deepcopy(DOCUMENT)
    node = document
    for key in place[:-1]:
        node = node[key]
    if junk is None:
        del node[place[-1]]
    else:
        node[place[-1]] = junk
    text = "\n".join(f"{key} = {toml(value)}" for key, value in document.items())
    tomllib.loads(text)
    try:
        assert isinstance(parse_suite(text, "junk.toml", quick=quick), Suite)
    except RequestError as error:
        message = str(error)
    else:
        message = "junk.toml: "
    assert message.startswith("junk.toml: ")
    assert ": : " not in message


# ---------------------------------------------------------------- valid suites


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


# ---------------------------------------------------------------- the chapter's protocol


@pytest.fixture(scope="module")
def transfer():
    return read_suite("transfer").suite


def test_the_transfer_suite_has_the_chapters_data(transfer):
    pretrain, frozen, _ = transfer.recipe("one_rate", "5-6").phases
    # Fashion-MNIST, the first 5000 images for validation; sandals (5) against shirts (6), 200.
    assert pretrain.task.dataset == frozen.task.dataset == "fashion-mnist"
    assert pretrain.task.valid == frozen.task.valid == 5000
    assert pretrain.task.classes == (0, 1, 2, 3, 4, 7, 8, 9)
    assert frozen.task.classes == (5, 6)
    assert (pretrain.task.train, frozen.task.train) == (None, 200)
    assert pretrain.task.scaling == "unit"


def test_the_transfer_suite_has_the_chapters_networks(transfer):
    pretrain, frozen, finetune = transfer.recipe("one_rate", "5-6").phases
    (scratch,) = transfer.recipe("scratch", "5-6").phases
    for phase, units, output in (
        (pretrain, 8, "softmax"),
        (frozen, 1, "logistic"),
        (finetune, 1, "logistic"),
        (scratch, 1, "logistic"),
    ):
        *hidden, last = phase.network.dense()
        assert [layer.units for layer in hidden] == [300, 100, 50, 50, 50]
        assert {layer.activation.name for layer in hidden} == {"selu"}
        assert {layer.initialiser.name for layer in (*hidden, last)} == {"glorot_uniform"}
        assert (last.units, last.activation.name) == (units, output)
        assert phase.network.layers == phase.network.dense()
    assert pretrain.network.name != frozen.network.name
    assert frozen.network == finetune.network == scratch.network


def test_the_transfer_suite_has_the_chapters_training(transfer):
    pretrain, frozen, finetune = transfer.recipe("one_rate", "5-6").phases
    (scratch,) = transfer.recipe("scratch", "5-6").phases
    phases = (pretrain, frozen, finetune, scratch)
    assert [phase.epochs for phase in phases] == [20, 4, 16, 20]
    assert {phase.rate for phase in phases} == {1e-3}
    assert {phase.batch for phase in phases} == {32}
    assert {phase.optimizer.name for phase in phases} == {"sgd"}
    assert {phase.schedule.name for phase in phases} == {"constant"}
    assert {phase.early_stopping for phase in phases} == {None}
    hidden = tuple(f"hidden{n}" for n in range(1, 6))
    assert frozen.reuse == frozen.frozen == hidden
    assert finetune.reuse == "all"
    assert finetune.frozen == ()
    rates = [phase.rate for phase in transfer.recipe("listing", "5-6").phases]
    assert rates == [1e-3, 1e-2, 1e-4]
    oldest = [phase.rate for phase in transfer.recipe("one_rate_oldest", "5-6").phases]
    assert oldest == [1e-3, 1e-2, 1e-2]


def test_the_transfer_suite_tests_the_almost_fourfold_reduction_on_a_hundred_seeds(transfer):
    assert transfer.seeds == 100
    claims = {claim.name: claim for claim in transfer.claims}
    claim = claims["transfer_one_rate"]
    assert (claim.treatment, claim.baseline, claim.metric) == (
        "one_rate",
        "scratch",
        "test_accuracy",
    )
    assert claim.factor == 3.7
    published = claim.references[0]
    assert (published.baseline, published.treatment) == (0.972, 0.9925)
    assert published.error_factor == 3.7
    assert claim.factor == pytest.approx((1 - 0.972) / (1 - 0.9925), abs=0.05)
    assert {reference.factor for reference in claim.references} >= {3.9, 4.1, 4.5, 4.9}


def test_reusing_all_five_layers_is_the_same_training_as_one_rate(transfer):
    five, one_rate = (transfer.recipe(name, "5-6") for name in ("reuse_5", "one_rate"))
    assert five.fingerprint() == one_rate.fingerprint()
    fewer = [transfer.recipe(f"reuse_{n}", "5-6") for n in range(1, 5)]
    assert len({r.fingerprint() for r in (*fewer, five)}) == 5
    assert {r.prefix(1) for r in fewer} == {one_rate.prefix(1)}


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ('early_stopping = { patience = 3, monitor = "test_accuracy" }', "early_stopping.monitor"),
        ('schedule = { name = "performance", metric = "test_loss" }', "metric"),
        ('select_by = "test_accuracy"', "select_by"),
    ],
)
def test_a_recipe_that_would_select_by_test_data_is_refused(entry, key):
    message = mistake(('phases = ["scratch"]', f'phases = [{{ use = "scratch", {entry} }}]'))
    assert "nothing is ever selected or scheduled by test data" in message
    assert message.startswith("tiny.toml: recipes[0].phases[0].")
    assert key in message


def test_a_quick_form_changes_claims_by_name():
    more = "[quick.claims.transfer_helps]\nleast_effect = 0.2\n"
    claims = tomllib.loads(TINY)["claims"]
    text = TINY + more.replace("transfer_helps", claims[0]["name"])
    assert parse_suite(text, "tiny.toml", quick=True).claims[0].least_effect == 0.2
    assert parse_suite(text, "tiny.toml").claims[0].least_effect == claims[0]["least_effect"]
    with pytest.raises(RequestError) as refused:
        parse_suite(TINY + more.replace("transfer_helps", "tranfser"), "tiny.toml", quick=True)
    assert str(refused.value).startswith("tiny.toml: quick.claims: unknown claim 'tranfser'")
