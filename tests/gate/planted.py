"""Plants changes in copies of the source, one at a time, and tells which layer finds them.

    python -m tests.gate.planted --markdown FILE [--backend B]… [--plant WORDS]… [--layer L]

What was found is kept beside the page, a file a plant: several may run at once, a backend each.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from manyseeds.check.accuracy.layer import suite_file
from manyseeds.check.findings import Finding, LayerResult
from manyseeds.check.numerics.cover import covering
from manyseeds.check.numerics.layer import compare, measure
from manyseeds.check.numerics.reasons import with_reasons
from manyseeds.check.store import FOLDER, Baseline
from manyseeds.conformance.outcome import parity_recipes
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.techniques_used import used
from tests.gate.plants import PLANTS, Plant

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from manyseeds.cli.main import main; main()")
FEW = 4
"""Recipes of the accuracy layer that are trained for a plant, at most."""


@dataclass(frozen=True)
class Seen:
    """What a layer saw of a plant.

    Attributes
    ----------
    changed, asked
        Rows that fail because they have changed; rows that were compared.
    told
        The row that says most, its size and the likely reason.
    """

    changed: int
    asked: int
    seconds: float
    told: str = ""
    reason: str = ""


def apply(plant: Plant, root: Path) -> None:
    """Edit a copy of the source."""
    path = root / plant.file
    text = path.read_text(encoding="utf-8")
    for old, new in plant.edits:
        if text.count(old) != 1:
            raise AssertionError(f"{plant.name}: {text.count(old)} times in {path}: {old!r}")
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


@contextmanager
def source(plant: Plant | None, name: str = "one") -> Iterator[Path]:
    """Have new processes import a copy of the source, with a plant in it; yield its folder.

    Copies of one `name` lie in one place: compiled programs are kept by the place of their source.
    """
    before = dict(os.environ)
    copy = Path(tempfile.gettempdir()) / f"manyseeds-planted-{name}-{os.getuid()}"
    shutil.rmtree(copy, ignore_errors=True)
    for part in ("manyseeds", "backends", "suites"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    try:
        if plant:
            apply(plant, copy)
        paths = [str(copy), str(copy / "backends"), str(ROOT / "tests" / "numpy_backend")]
        # Without the folder a process starts in, which is the source as it is.
        os.environ.update(PYTHONPATH=os.pathsep.join(paths), PYTHONSAFEPATH="1")
        yield copy
    finally:
        shutil.rmtree(copy, ignore_errors=True)
        os.environ.clear()
        os.environ.update(before)


def recipes_for(plant: Plant, others: int) -> list[str]:
    """Return the recipes a check follows that a plant could affect, and some others."""
    known = parity_recipes()
    followed = {name: known[name] for name in covering(known)}
    concerned = _concerned(plant, followed)
    return concerned + [name for name in followed if name not in concerned][:others]


def _concerned(plant: Plant, recipes: Mapping[str, Recipe]) -> list[str]:
    if not plant.concerns:
        return list(recipes)
    return [
        name
        for name, recipe in recipes.items()
        if {technique for _, technique in used(recipe)} & set(plant.concerns)
    ]


def trained_for(plant: Plant) -> list[str]:
    """Return the recipes of the accuracy layer that a plant could affect; few, if it has many."""
    suite = parse_suite(suite_file().read_text(encoding="utf-8"), str(suite_file()))
    found = _concerned(plant, {cell.recipe.name: cell.recipe for cell in suite.cells})
    return found[:FEW] if plant.concerns else [*found[: FEW - 1], *found[-3:-2]]


class Gate:
    """Comparisons with a baseline of the untouched source."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def numerics(self, plant: Plant, recipes: Sequence[str]) -> Seen:
        """Follow recipes with the plant in the source, and look for what undoes it."""
        baseline = Baseline(self.folder)
        with source(plant, plant.backend):
            started = time.perf_counter()
            now = measure([plant.backend], recipes)
            seconds = time.perf_counter() - started
            result = with_reasons(compare(now, baseline), now, baseline, most=1)
        return _seen(result, seconds)

    def accuracy(self, plant: Plant, recipes: Sequence[str]) -> Seen:
        """Train the gate's suite, less the recipes that are not named."""
        return self._by_command("accuracy", plant, recipes)

    def time(self, plant: Plant) -> Seen:
        """Time the backend."""
        return self._by_command("time", plant, None)

    def _by_command(self, layer: str, plant: Plant, recipes: Sequence[str] | None) -> Seen:
        with source(plant, plant.backend) as copy:
            _only(copy, recipes)
            started = time.perf_counter()
            said = _run("check", "--json", layer, plant, self.folder)
            seconds = time.perf_counter() - started
        findings = [
            each
            for each in json.loads(said)["findings"]
            if recipes is None or each["subject"].split("/")[1] in recipes
        ]
        changed = [each for each in findings if each["state"] == "changed" or _broken(each)]
        for each in findings:
            if each["state"] in ("missing", "not comparable") and not _broken(each):
                raise RuntimeError(f"{plant.name}: {each['row']}: {each['told']}")
        first = changed[0] if changed else {"subject": "", "told": "", "reason": ""}
        told = f"{first['subject']}: {first['told']}" if changed else ""
        return Seen(len(changed), len(findings), seconds, told, first["reason"])


def _broken(finding: Mapping[str, str]) -> bool:
    """Return whether a row is missing because the plant ends every training with an error."""
    return finding["state"] == "missing" and "seeds 30 failed: " in finding["told"]


def _run(*arguments: object) -> str:
    """Run a command of manyseeds on one layer and backend; what is found is no failure."""
    *command, layer, plant, folder = arguments
    assert isinstance(plant, Plant)
    with tempfile.TemporaryDirectory() as results:
        where = ["--layer", layer, "--backend", plant.backend, "--baseline", folder]
        answer = subprocess.run(
            list(map(str, [*COMMAND, *command, *where, "--results", results])),
            capture_output=True,
            text=True,
            check=False,
        )
    if answer.returncode not in (0, 1) or not answer.stdout:
        raise RuntimeError(f"{plant.name}: {answer.stderr[-2000:]}")
    return answer.stdout


def _only(copy: Path, recipes: Sequence[str] | None) -> None:
    """Leave only some recipes in a copy's suite."""
    if recipes is None:
        return
    path = copy / suite_file().relative_to(ROOT)
    head, *parts = re.split(r"(?m)^(?=\[\[)", path.read_text(encoding="utf-8"))
    kept = [p for p in parts if any(f'name = "{name}"\n' in p for name in recipes)]
    path.write_text(head + "".join(kept), encoding="utf-8")


def _seen(result: LayerResult, seconds: float) -> Seen:
    changed = [row for row in result.findings if row.fails]
    if any(row.state != "changed" for row in changed):
        raise RuntimeError(f"not compared: {changed[0].row}: {changed[0].told}")
    if not changed:
        return Seen(0, len(result.findings), seconds)
    clearest: Finding = next((row for row in changed if "undone" in row.reason), changed[0])
    told = f"{clearest.subject}: {clearest.told}"
    return Seen(len(changed), len(result.findings), seconds, told, clearest.reason)


def tried(plant: Plant, gate: Gate, others: int) -> dict[str, Seen]:
    """Plant a change and return what each layer that was asked saw."""
    if plant.layer == "time":
        return {
            "numerics": gate.numerics(plant, recipes_for(plant, others)[: FEW + others]),
            "time": gate.time(plant),
        }
    found = {"numerics": gate.numerics(plant, recipes_for(plant, others))}
    if recipes := trained_for(plant):
        found["accuracy"] = gate.accuracy(plant, recipes)
    return found


def caught(plant: Plant, seen: Mapping[str, Seen]) -> bool:
    """Return whether the layer that must notice a plant did, and no other one for no reason."""
    if plant.layer == "time" and any(seen[layer].changed for layer in seen if layer != "time"):
        return False
    return plant.layer in seen and seen[plant.layer].changed > 0


LAYERS = ("numerics", "accuracy", "time")


def page(verdicts: Mapping[Plant, Mapping[str, Seen]], others: int) -> str:
    """Return the table as Markdown."""
    counted = sum(caught(plant, seen) for plant, seen in verdicts.items())
    by_layer = [
        f"{layer} {sum(layer in s and s[layer].changed > 0 for s in verdicts.values())} of "
        f"{sum(layer in s for s in verdicts.values())} asked"
        for layer in LAYERS
    ]
    lines = [
        "# Planted changes",
        "",
        "Made by `python -m tests.gate.planted`. Each change was planted alone in a copy of the "
        "source and compared with the baseline, on one backend. The numerics layer "
        "followed, of the recipes of a check, those with the technique concerned and "
        f"{others} others; the accuracy layer trained {FEW} of its recipes that have it at most, "
        "30 seeds each; the time layer was asked of changes that it alone can see. A layer's cell "
        "has the rows that changed, of how many, and the seconds of measuring, programs compiled "
        "where the source asked for it.",
        "",
        f"**{counted} of {len(verdicts)} caught by the layer that must notice** "
        f"({'; '.join(by_layer)}).",
        "",
        "| planted | where | numerics | accuracy | time | what and why |",
        "|---|---|---|---|---|---|",
    ]
    for plant, seen in verdicts.items():
        where = plant.backend
        if not plant.file.startswith("backends/"):
            where = f"harness, on {where}"
        first = next((seen[layer] for layer in LAYERS if layer in seen and seen[layer].told), None)
        why = f"{first.told}; {first.reason}".rstrip("; ") if first else ""
        mark = "" if caught(plant, seen) else "**MISSED** "
        cells = (mark + plant.name, where, *(_cell(seen.get(layer)) for layer in LAYERS), why)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(seen: Seen | None) -> str:
    if seen is None:
        return ""
    return f"{'✗' if seen.changed else '·'} {seen.changed} of {seen.asked}, {seen.seconds:.0f} s"


def _kept(folder: Path) -> dict[Plant, dict[str, Seen]]:
    """Return what is known of every plant, in the order of `PLANTS`."""
    found = {}
    for number, plant in enumerate(PLANTS):
        path = _file(folder, number)
        if path.exists():
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["plant"] == plant.name:
                found[plant] = {layer: Seen(**one) for layer, one in document["seen"].items()}
    return found


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:02}.json"


def main() -> int:
    """Plant, compare, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path, required=True)
    parser.add_argument("--backend", action="append", default=[])
    parser.add_argument("--plant", action="append", default=[], help="words of its name")
    parser.add_argument("--layer", help="only plants that this layer must notice")
    parser.add_argument("--baseline", type=Path, default=ROOT / FOLDER)
    parser.add_argument("--others", type=int, default=2)
    asked = parser.parse_args()
    chosen = [
        plant
        for plant in PLANTS
        if (not asked.backend or plant.backend in asked.backend)
        and (not asked.plant or any(words in plant.name for words in asked.plant))
        and asked.layer in (None, plant.layer)
    ]
    folder = asked.markdown.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    wrong = 0
    gate = Gate(asked.baseline.resolve())
    for plant in chosen:
        seen = tried(plant, gate, asked.others)
        wrong += not caught(plant, seen)
        document = {"plant": plant.name, "seen": {name: asdict(one) for name, one in seen.items()}}
        text = json.dumps(document, indent=1, ensure_ascii=False)
        _file(folder, PLANTS.index(plant)).write_text(text, encoding="utf-8")
        asked.markdown.write_text(page(_kept(folder), asked.others), encoding="utf-8")
        told = ", ".join(f"{layer} {_cell(one)}" for layer, one in seen.items())
        print(f"{'caught' if caught(plant, seen) else 'MISSED'}  {plant.name}: {told}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
