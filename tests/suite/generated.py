"""Suites made by chance: bundled ones and the tiny one, damaged in a few places.

A number gives a suite: the same one on every machine.
"""

import copy
import json
import random
import tomllib
from dataclasses import dataclass
from pathlib import Path

from manyseeds.suite.files import suite_names, suites_folder
from manyseeds.techniques.registry import technique_name, techniques

ROOT = Path(__file__).parents[2]
FILES = (
    ROOT / "tests" / "tiny.toml",
    ROOT / "manyseeds" / "check" / "accuracy" / "gate.toml",
    ROOT / "manyseeds" / "conformance" / "recipes.toml",
    *(suites_folder() / f"{name}.toml" for name in suite_names()),
)
TEXTS = tuple(path.read_text(encoding="utf-8") for path in FILES)

TECHNIQUES = tuple(techniques())

MARKUP = (
    "[/]",
    "[bold]",
    "[link=file:///]x",
    "[a]b[/c]",
    ":boom:",
    "\\[x]",
    "<b>&",
    "*a*|`b`",
    "$\\frac{",
)
"""Texts that terminals, Markdown, HTML or figures could read as something else."""

NAMES = (
    "", " ", "a b", "-rf", ".", "..", "../x", "/etc/x", "C:\\x", "con", "nul.txt", "index",
    "tiny-quick", "x" * 300, "中文", "größe", "a\x00b", "a\x1b[31m", "\u202eabc", "\ufeff", "a\nb",
    "__class__", "model_config", "name", "label", "use", "test", "all", "pair", "reused", "input",
    *MARKUP,
)  # fmt: skip

NUMBERS = (
    0, -1, 1, 2, 3, 7, 10**3, 10**4, 10**5, 10**6, 10**9, 2**31,
    2**63 - 1, -(2**63), 2**63, 10**400,
    0.0, -0.0, 0.5, 1.0, -1.0, 2.0, 1e-12, 5e-324, 1e308, -1e308,
    float("nan"), float("inf"), -float("inf"),
)  # fmt: skip

WORDS = (
    "selu", "softmax", "logistic", "linear", "dropout", "batch_norm", "adam", "momentum", "l2",
    "one_cycle", "fixup", "mc_dropout", "test_loss", "mc_ece", "dead_share", "ordering", "digits",
    "split", "init", "time_to_target", "hidden1", "seconds",
)  # fmt: skip


class Literal(str):
    """A value that is written as it is."""

    __slots__ = ()


MOMENTS = tuple(
    Literal(text)
    for text in ("1979-05-27T07:32:00Z", "1979-05-27", "07:32:00", "0x" + "f" * 5_000, "1" * 5_000)
)


@dataclass(frozen=True)
class Generated:
    """The content of a suite file, and a markup text that was put into it, if any."""

    content: bytes
    markup: str | None


def generated(number: int) -> Generated:
    """Return the suite of a number."""
    chance = random.Random(number)
    text = chance.choice(TEXTS[:2] if chance.random() < 0.75 else TEXTS)
    if chance.random() < 0.25:
        return Generated(_damaged_text(chance, text), None)
    document = tomllib.loads(text)
    markup = None
    if chance.random() < 0.3:
        markup = chance.choice(MARKUP)
        document["title"] = f"T {markup}"
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        _change(chance, document)
    return Generated(_as_toml(document).encode("utf-8", "surrogatepass"), markup)


def _places(value, path=()):
    """Yield the path of every value within a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from _places(item, (*path, key))


PLACES_OF_TECHNIQUES = {
    "activation": ("networks", "activation"),
    "initialiser": ("networks", "initialiser"),
    "layer": ("networks", "first", "before", "after", "last"),
    "optimizer": ("phases", "optimizer"),
    "schedule": ("phases", "schedule"),
    "clipping": ("phases", "clipping"),
    "augmentation": ("phases", "augmentation"),
    "pruning": ("phases", "pruning"),
    "regularisation": ("networks", "penalty", "max_norm", "drop_connect"),
}
"""The section of each kind of technique, and keys of the section's tables that can hold it."""


def _use_technique(chance, document):
    """Put a technique with hyperparameters by chance where a suite can have it."""
    technique = chance.choice(TECHNIQUES)
    section, *keys = PLACES_OF_TECHNIQUES[technique.kind]
    found = document.get(section)
    named = found.values() if isinstance(found, dict) else ()
    tables = [table for table in named if isinstance(table, dict)]
    if not tables:
        return
    table = {"name": technique_name(technique)}
    for name, field in technique.model_fields.items():
        if name not in ("name", "label") and (field.is_required() or chance.random() < 0.3):
            table[name] = _hyperparameter(chance, field.annotation)
    key = chance.choice(keys)
    value = [table] if technique.kind in ("layer", "augmentation") else table
    for where in tables if chance.random() < 0.5 else tables[:1]:
        where[key] = copy.deepcopy(value)


def _hyperparameter(chance, kind):
    if kind is int:
        return chance.choice((1, 2, 3, 5, 100, 10**5, 2**63 - 1))
    if kind is bool:
        return chance.choice((True, False))
    if kind in (float, float | None):
        return chance.choice((0.0, 0.1, 0.5, 0.9, 1.0, 1.5, 3.0, 1e-12, 1e6, 1e300, 5e-324))
    return chance.choice((*WORDS, [1, 2], [0.1, 0.2], "input", "stem"))


def _change(chance, document):
    """Change a document in one place."""
    if chance.random() < 0.3:
        _use_technique(chance, document)
        return
    places = list(_places(document))
    if not places:
        return
    named = [place for place in places if place[-1] == "name"]
    place = chance.choice(named if named and chance.random() < 0.2 else places)
    node = document
    for key in place[:-1]:
        node = node[key]
    key = place[-1]
    kind = chance.choice(
        ("replace", "replace", "replace", "delete", "repeat", "add", "move", "rename")
    )
    if kind == "delete":
        del node[key]
    elif kind == "repeat":
        _repeat(chance, node, key)
    elif kind == "add" and isinstance(node, dict):
        known = [p[-1] for p in places if isinstance(p[-1], str)]
        node[chance.choice([*known, *NAMES])] = _value(chance)
    elif kind == "move":
        other = document
        for step in (source := chance.choice(places)):
            other = other[step]
        node[key] = copy.deepcopy(other) if source[: len(place)] != place else _value(chance)
    elif kind == "rename" and isinstance(node, dict):
        node[chance.choice(NAMES)] = node.pop(key)
    else:
        node[key] = _near(chance, node[key]) if chance.random() < 0.4 else _value(chance)


def _repeat(chance, node, key):
    value = copy.deepcopy(node[key])
    if isinstance(node, list):
        node[key:key] = [value] * chance.choice((1, 2, 1500))
    elif isinstance(value, list) and value:
        node[key] = value * 2
    else:
        node[f"{key}{chance.choice(('2', '', ' ', 'X'))}"] = value


def _near(chance, value):
    """Return a value of the same type, or one that is easily written instead."""
    if isinstance(value, bool):
        return chance.choice((not value, int(value), str(value).lower()))
    if isinstance(value, int | float):
        return chance.choice(
            (-value, value * 10, value / 3, str(value), [value], bool(value), value + 1)
        )
    if isinstance(value, str):
        return chance.choice(
            (value.upper(), f"{value} ", value[:-1], [value], {"name": value}, value * 40)
        )
    return [value]


def _value(chance, depth=0):
    """Return a value of any type that TOML has."""
    if depth < 3 and chance.random() < 0.33:
        return chance.choice((_list, _table, _deep))(chance, depth + 1)
    single = (True, False), NUMBERS, NUMBERS, NAMES, WORDS, MOMENTS
    return chance.choice(chance.choice(single))


def _list(chance, depth):
    return [_value(chance, depth) for _ in range(chance.choice((0, 1, 2, 2, 5)))]


def _table(chance, depth):
    keys = [*WORDS, *NAMES, "name", "label", "units", "use", "of", "rate"]
    return {chance.choice(keys): _value(chance, depth) for _ in range(chance.choice((0, 1, 2)))}


def _deep(chance, _):
    nested = chance.choice((1, [], {}))
    for _ in range(chance.choice((3, 29, 40, 500))):
        nested = [nested] if chance.random() < 0.5 else {"a": nested}
    return nested


def _as_toml(document):
    return "\n".join(f"{_string(key)} = {_inline(value)}" for key, value in document.items())


def _inline(value):
    """Return a value in TOML, all tables inline; no recursion, since some are nested deeply."""
    parts, waiting = [], [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, _Written):
            parts.append(item.text)
        elif isinstance(item, dict):
            waiting.append(_Written("}"))
            for number, (key, inner) in enumerate(reversed(item.items())):
                waiting += [_Written(", ")] if number else []
                waiting += [inner, _Written(f"{_string(key)} = ")]
            waiting.append(_Written("{"))
        elif isinstance(item, list):
            waiting.append(_Written("]"))
            for number, inner in enumerate(reversed(item)):
                waiting += [_Written(", ")] if number else []
                waiting.append(inner)
            waiting.append(_Written("["))
        elif isinstance(item, str) and not isinstance(item, Literal):
            parts.append(_string(item))
        else:
            parts.append(str(item).lower() if isinstance(item, bool | float) else str(item))
    return "".join(parts)


@dataclass(frozen=True)
class _Written:
    text: str


def _string(text):
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _damaged_text(chance, text):
    """Return a text with bytes or lines changed, removed, repeated or put in."""
    kind = chance.randrange(7)
    if kind == 0:
        return b"\xef\xbb\xbf" + text.encode()
    if kind == 1:
        return text.replace("\n", "\r\n").encode()
    content = bytearray(text.encode())
    if kind in (2, 3):
        for _ in range(chance.choice((1, 2, 5, 50))):
            content[chance.randrange(len(content))] = chance.randrange(256)
        return bytes(content)
    lines = text.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    if kind == 4:
        lines[at:at] = lines[at : at + chance.choice((1, 3, 40))]
    elif kind == 5:
        del lines[at : at + chance.choice((1, 2, 10))]
    else:
        odd = (
            "[" * 500,
            "a = " + "[" * 500,
            "a = " + "1" * 5000,
            "\x00",
            "x" * 100_000,
            "[[[]]]",
            "=",
        )
        lines.insert(at, chance.choice(odd) + "\n")
    return "".join(lines).encode()
