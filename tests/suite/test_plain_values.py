"""Rules for every value of a suite file, whatever its key, and the sizes a suite may ask for."""

import pytest

from manyseeds.errors import RequestError
from manyseeds.suite.files import read_suite
from manyseeds.suite.plain_values import is_whole, value_problem
from manyseeds.suite.reader import parse_suite
from tests.suite.tiny_suite import TINY, VARIANCE, mistake

ROOM = "description = "


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return {"a": value}


@pytest.mark.parametrize(
    ("tables", "key", "problem"),
    [
        ({"a": {"b": [1.0, float("inf")]}}, "a.b[1]", "expected a finite number, not inf"),
        ({"a": float("nan")}, "a", "expected a finite number, not nan"),
        ({"a": 2**63}, "a", "too large"),
        ({"a": [-(2**63) - 1]}, "a[0]", "too large"),
        ({"a": "x\x1b"}, "a", r"this one has '\x1b'"),
        ({"a": "x" * 10_001}, "a", "at most 10,000 characters"),
        ({"tasks": {"a b": {}}}, "tasks.'a b'", "for instance 'a_b'"),
        ({"tasks": {"[/]": {}}}, "tasks.'[/]'", "this key is no name"),
        (nested(30), "a" + "[0]" * 29, "more than 30 tables and lists"),
        ({"a": [0] * 200_000}, "a", "at most 200,000 values"),
    ],
)
def test_a_value_that_no_suite_can_have_is_named_with_its_key(tables, key, problem):
    found, said = value_problem(tables)
    assert found == key
    assert problem in said


@pytest.mark.parametrize(
    "tables",
    [{}, {"a": 2**63 - 1, "b": -(2**63)}, {"a": "大 [b]\n"}, nested(29), {"a": True, "b": 1e308}],
)
def test_other_values_are_left_to_the_models(tables):
    assert value_problem(tables) is None


def test_true_and_2_0_are_no_whole_numbers():
    assert [is_whole(value) for value in (0, -3, True, False, 2.0, "2")] == [True, True] + [
        False
    ] * 4


LARGEST = {
    "seeds": ("seeds = 3", "seeds = {}", 100_000, "seeds: "),
    "lanes": ("lanes = 2", "lanes = {}", 100_000, "lanes: "),
    "epochs": ("epochs = 2", "epochs = {}", 100_000, "recipes[0].phases[0].epochs: "),
    "batch": ("rate = 0.01", "rate = 0.01\nbatch = {}", 1_000_000, "phases[0].batch: "),
    "units": ("hidden = [8, 8]", "hidden = [{}, 8]", 100_000, "layers[0].dense.units: "),
}


@pytest.mark.parametrize("size", LARGEST)
def test_the_largest_size_is_accepted_and_one_more_is_refused_with_the_limit(size):
    old, new, largest, key = LARGEST[size]
    text = TINY.replace("[8, 8]", "[8, 8]")
    changed = text.replace(old, new.format(largest), 2 if size == "units" else 1)
    parse_suite(changed, "tiny.toml")
    for asked in (largest + 1, 10**9, 2**62):
        message = mistake((old, new.format(asked)))
        assert key in message
        assert f"less than or equal to {largest}, not {asked}" in message


@pytest.mark.parametrize("layers", [10_001, 10**9, 2**62])
def test_layers_are_counted_before_they_are_made(layers):
    message = mistake(("hidden = [8, 8]", f"hidden = [[8, {layers}]]"))
    assert message == "tiny.toml: networks.source.hidden: a network has at most 10,000 layers"


def test_recipes_phases_and_claims_are_counted_before_they_are_read():
    recipe = '[[recipes]]\nname = "r{}"\nphases = ["scratch"]\n'
    many = "".join(recipe.format(n) for n in range(1_000))
    assert "recipes: 1,003 tables: at most 1,000 are allowed" in mistake(
        ("[[claims]]", f"{many}[[claims]]")
    )
    phases = ", ".join(['"scratch"'] * 101)
    assert "recipes[0].phases: 101 phases: at most 100 are allowed" in mistake(
        ('phases = ["scratch"]', f"phases = [{phases}]")
    )
    hundred = "".join(f'[[recipes]]\nname = "h{n}"\nphases = [{phases}]\n' for n in range(3))
    assert "310 phases in 45 cases: at most 10,000 are allowed in all" in mistake(
        ("[[claims]]", f"{hundred}[[claims]]"), ("[[5, 6]]", '"all"')
    )


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_suite_is_the_same_from_any_editor(tmp_path, start, end):
    path = tmp_path / "tiny.toml"
    path.write_bytes(start + end.join(TINY.encode().split(b"\n")))
    file = read_suite(str(path))
    assert file.text == TINY
    assert file.suite == parse_suite(TINY, "tiny.toml")


def test_a_suite_file_that_is_too_large_is_refused(tmp_path):
    path = tmp_path / "large.toml"
    path.write_text(TINY + "#" * 1_000_000, encoding="utf-8")
    with pytest.raises(RequestError, match=r"large\.toml: cannot be read: larger than 1,000,000"):
        read_suite(str(path))


def test_no_more_seeds_are_timed_or_studied_than_there_are():
    assert "tiny.toml: solo: 4, but the suite has 3 seeds" in mistake(
        ("lanes =", "solo = 4\nlanes =")
    )
    study = VARIANCE.replace("seeds = 2", "seeds = 4")
    assert "tiny.toml: variance.seeds: 4, but the suite has 3 seeds" in mistake(
        ("[[claims]]", f"{study}[[claims]]")
    )
    quick = "[quick]\nseeds = 2\nsolo = 3\n[[claims]]"
    assert "solo: 3, but the suite has 2 seeds" in mistake(("[[claims]]", quick), quick=True)


def test_a_quick_form_with_fewer_seeds_keeps_the_numbers_of_the_full_form():
    text = TINY.replace("lanes = 2", "lanes = 2\nsolo = 3") + "[quick]\nseeds = 1\n"
    suite = parse_suite(text, "tiny.toml", quick=True)
    assert (suite.seeds, suite.solo) == (1, 3)
