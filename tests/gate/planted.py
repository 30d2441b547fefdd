"""Plants changes in copies of the source, one at a time, and reports which layers catch them.

    python -m tests.gate.planted --markdown FILE [--backend B]… [--plant WORDS]… [--layer L]

Results are saved beside the page, a file per plant, so that several backends can be run at once.
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

from manyseeds.check.accuracy.entries import suite_file
from manyseeds.check.baseline import Baseline
from manyseeds.check.findings import Finding, LayerResult
from manyseeds.check.numerics.comparison import compare
from manyseeds.check.numerics.measurement import measure
from manyseeds.check.numerics.reasons import ReasonOptions, with_reasons
from manyseeds.check.numerics.recipe_selection import covering
from manyseeds.check.rows import LAYERS, Layer, Row
from manyseeds.conformance.recipes import parity_recipes
from manyseeds.presentation.markdown import markdown_rows
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.techniques_used import used
from tests.gate.plant import Plant
from tests.gate.plants import PLANTS

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from manyseeds.cli.main import main; main()")
BASELINE = ROOT / "results" / "baseline" / "check"
FEW = 4
"""The most recipes of the accuracy layer that are trained for a plant."""


@dataclass(frozen=True)
class Response:
    """The response of a layer to a plant.

    Attributes
    ----------
    changed, compared
        How many rows fail because they have changed, and how many were compared.
    clearest, reason
        The most telling changed row with its message, and its likely reason.
    """

    changed: int
    compared: int
    seconds: float
    clearest: str = ""
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
    """Make new processes import a copy of the source with a plant in it; yield the copy's folder.

    Copies of one `name` have the same path, because compiled programs are kept by their source's
    path.
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
        # PYTHONSAFEPATH keeps a process from importing the untouched source it starts in.
        os.environ.update(PYTHONPATH=os.pathsep.join(paths), PYTHONSAFEPATH="1")
        yield copy
    finally:
        shutil.rmtree(copy, ignore_errors=True)
        os.environ.clear()
        os.environ.update(before)


def recipes_for(plant: Plant, others: int) -> list[str]:
    """Return the followed recipes that a plant could affect, and some others."""
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
    """Return a few recipes of the accuracy layer that a plant could affect."""
    suite = parse_suite(suite_file().read_text(encoding="utf-8"), str(suite_file()))
    names = _concerned(plant, {cell.recipe.name: cell.recipe for cell in suite.cells})
    return names[:FEW] if plant.concerns else [*names[: FEW - 1], *names[-3:-2]]


class Gate:
    """Comparisons with a baseline of the untouched source."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def numerics(self, plant: Plant, recipes: Sequence[str]) -> Response:
        """Follow recipes with the plant in the source, and look for a variant that undoes it."""
        baseline = Baseline(self.folder)
        with source(plant, plant.backend):
            started = time.perf_counter()
            now = measure([plant.backend], recipes)
            seconds = time.perf_counter() - started
            options = ReasonOptions(most=1)
            result = with_reasons(compare(now, baseline), now, baseline, options)
        return _response(result, seconds)

    def accuracy(self, plant: Plant, recipes: Sequence[str]) -> Response:
        """Train these recipes of the gate's suite."""
        return self._by_command("accuracy", plant, recipes)

    def time(self, plant: Plant) -> Response:
        """Time the backend."""
        return self._by_command("time", plant, None)

    def _by_command(self, layer: Layer, plant: Plant, recipes: Sequence[str] | None) -> Response:
        with source(plant, plant.backend) as copy:
            _keep_only(copy, recipes)
            started = time.perf_counter()
            output = _check(layer, plant, self.folder)
            seconds = time.perf_counter() - started
        findings = [
            finding
            for finding in json.loads(output)["findings"]
            if recipes is None or Row.parse(finding["row"]).parts[1] in recipes
        ]
        changed = [f for f in findings if f["state"] == "changed" or _broken(f)]
        for finding in findings:
            if finding["state"] in ("missing", "not comparable") and not _broken(finding):
                raise RuntimeError(f"{plant.name}: {finding['row']}: {finding['told']}")
        if not changed:
            return Response(0, len(findings), seconds)
        first = changed[0]
        clearest = f"{first['subject']}: {first['told']}"
        return Response(len(changed), len(findings), seconds, clearest, first["reason"])


def _broken(finding: Mapping[str, str]) -> bool:
    """Return whether a row is missing because the plant ends every training with an error."""
    return finding["state"] == "missing" and "seeds 30 failed: " in finding["message"]


def _check(layer: Layer, plant: Plant, baseline: Path) -> str:
    """Check one layer on a plant's backend, and return the report as JSON."""
    with tempfile.TemporaryDirectory() as results:
        scope = ["--layer", layer, "--backend", plant.backend, "--baseline", str(baseline)]
        answer = subprocess.run(
            [*COMMAND, "check", "--json", *scope, "--results", results],
            capture_output=True,
            text=True,
            check=False,
        )
    if answer.returncode not in (0, 1) or not answer.stdout:
        raise RuntimeError(f"{plant.name}: {answer.stderr[-2000:]}")
    return answer.stdout


def _keep_only(copy: Path, recipes: Sequence[str] | None) -> None:
    """Remove all recipes but these from a copy's suite."""
    if recipes is None:
        return
    path = copy / suite_file().relative_to(ROOT)
    head, *parts = re.split(r"(?m)^(?=\[\[)", path.read_text(encoding="utf-8"))
    kept = [p for p in parts if any(f'name = "{name}"\n' in p for name in recipes)]
    path.write_text(head + "".join(kept), encoding="utf-8")


def _response(result: LayerResult, seconds: float) -> Response:
    changed = [row for row in result.findings if row.fails]
    if any(row.state != "changed" for row in changed):
        raise RuntimeError(f"not compared: {changed[0].row}: {changed[0].told}")
    if not changed:
        return Response(0, len(result.findings), seconds)
    clearest: Finding = next((row for row in changed if "undone" in row.reason), changed[0])
    text = f"{clearest.subject}: {clearest.message}"
    return Response(len(changed), len(result.findings), seconds, text, clearest.reason)


def responses_to(plant: Plant, gate: Gate, others: int) -> dict[Layer, Response]:
    """Plant a change and return the responses of the layers that are checked for it."""
    if plant.layer == "time":
        return {
            "numerics": gate.numerics(plant, recipes_for(plant, others)[: FEW + others]),
            "time": gate.time(plant),
        }
    responses: dict[Layer, Response] = {
        "numerics": gate.numerics(plant, recipes_for(plant, others))
    }
    if recipes := trained_for(plant):
        responses["accuracy"] = gate.accuracy(plant, recipes)
    return responses


def caught(plant: Plant, responses: Mapping[Layer, Response]) -> bool:
    """Return whether the layer that must catch a plant did; only the time layer may see a delay."""
    others = [response for layer, response in responses.items() if layer != "time"]
    if plant.layer == "time" and any(response.changed for response in others):
        return False
    return plant.layer in responses and responses[plant.layer].changed > 0


PAGE = """\
# Planted changes

Made by `python -m tests.gate.planted`. Each change was planted alone in a copy of the source, and
one backend was then compared with the baseline. The numerics layer followed the recipes of a check
that have the technique concerned and {others} others; the accuracy layer trained at most {few} of
its recipes that have it, with 30 seeds each; the time layer was checked for changes that it alone
can see. A layer's cell has the number of changed rows, of how many, and the seconds of measuring,
including the compilation of changed programs.

**{caught} of {plants} caught by the layer that must catch them** ({by_layer}).

{table}
"""


def page(responses: Mapping[Plant, Mapping[Layer, Response]], others: int) -> str:
    """Return the page as Markdown."""
    counts = []
    for layer in LAYERS:
        own = [of_plant[layer] for of_plant in responses.values() if layer in of_plant]
        counts.append(f"{layer} {sum(one.changed > 0 for one in own)} of {len(own)} checked")
    columns = ("planted", "where", *LAYERS, "clearest row")
    return PAGE.format(
        others=others,
        few=FEW,
        caught=sum(caught(plant, own) for plant, own in responses.items()),
        plants=len(responses),
        by_layer="; ".join(counts),
        table=markdown_rows(columns, [_cells(plant, own) for plant, own in responses.items()]),
    )


def _cells(plant: Plant, responses: Mapping[Layer, Response]) -> list[str]:
    where = plant.backend
    if not plant.file.startswith("backends/"):
        where = f"harness, on {where}"
    own = [responses[layer] for layer in LAYERS if layer in responses]
    first = next((response for response in own if response.clearest), None)
    clearest = f"{first.clearest}; {first.reason}".rstrip("; ") if first else ""
    mark = "" if caught(plant, responses) else "MISSED "
    return [
        mark + plant.name,
        where,
        *(_summary(responses.get(layer)) for layer in LAYERS),
        clearest,
    ]


def _summary(response: Response | None) -> str:
    if response is None:
        return ""
    sign = "✗" if response.changed else "·"
    return f"{sign} {response.changed} of {response.compared}, {response.seconds:.0f} s"


def _saved(folder: Path) -> dict[Plant, dict[Layer, Response]]:
    """Return the saved responses to every plant, in the order of `PLANTS`."""
    saved = {}
    for number, plant in enumerate(PLANTS):
        path = _file(folder, number)
        if path.exists():
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["plant"] == plant.name:
                responses = document["responses"]
                saved[plant] = {layer: Response(**one) for layer, one in responses.items()}
    return saved


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:02}.json"


def main() -> int:
    """Plant the chosen changes, check, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path, required=True)
    parser.add_argument("--backend", action="append", default=[])
    parser.add_argument("--plant", action="append", default=[], help="words of its name")
    parser.add_argument("--layer", help="only plants that this layer must catch")
    parser.add_argument("--baseline", type=Path, default=BASELINE)
    parser.add_argument("--others", type=int, default=2)
    options = parser.parse_args()
    chosen = [
        plant
        for plant in PLANTS
        if (not options.backend or plant.backend in options.backend)
        and (not options.plant or any(words in plant.name for words in options.plant))
        and options.layer in (None, plant.layer)
    ]
    folder = options.markdown.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    missed = 0
    gate = Gate(options.baseline.resolve())
    for plant in chosen:
        responses = responses_to(plant, gate, options.others)
        missed += not caught(plant, responses)
        saved = {layer: asdict(response) for layer, response in responses.items()}
        document = {"plant": plant.name, "responses": saved}
        text = json.dumps(document, indent=1, ensure_ascii=False)
        _file(folder, PLANTS.index(plant)).write_text(text, encoding="utf-8")
        options.markdown.write_text(page(_saved(folder), options.others), encoding="utf-8")
        verdict = "caught" if caught(plant, responses) else "MISSED"
        cells = ", ".join(f"{layer} {_summary(one)}" for layer, one in responses.items())
        print(f"{verdict}  {plant.name}: {cells}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
