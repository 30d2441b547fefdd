"""Reading invalid suites: errors name file, key and remedy."""

import copy
import json
import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyseeds.errors import RequestError
from manyseeds.suite.files import find_suite, read_suite
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.suite import Suite
from tests.suite.tiny_suite import TINY, VARIANCE, mistake

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
    "infinite rate": (("rate = 0.01", "rate = inf"), ["scratch.rate: expected a finite number"]),
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
        ["tiny.toml: recipes[1]", "two phases are called 'finetune'"],
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


@pytest.mark.parametrize(
    "name", ["", "chapter", "../suites/transfer", "x" * 5_000, "x" * 5_000 + ".toml", "a\0", "."]
)
def test_any_other_word_for_a_suite_is_refused_with_a_short_message(name):
    with pytest.raises(RequestError, match=r"unknown suite|no suite file") as refused:
        find_suite(name)
    assert len(str(refused.value)) < 1_000


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
