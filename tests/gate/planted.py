"""Plants changes in copies of the source, one at a time, and tells which the numerics layer finds.

python -m tests.gate.planted --markdown FILE [--backend B]… [--plant WORDS]… [--others N] [--whole]
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manyseeds.check.findings import Finding
from manyseeds.check.numerics import Measured, compare, measure
from manyseeds.check.reasons import with_reasons
from manyseeds.check.store import Baseline
from manyseeds.conformance.outcome import parity_recipes
from manyseeds.usage import used
from tests.gate.plants import PLANTS, Plant

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Verdict:
    """What became of a plant.

    Attributes
    ----------
    changed
        The rows that fail.
    followed
        How many recipes were looked at.
    """

    plant: Plant
    changed: tuple[Finding, ...]
    followed: int
    seconds: float

    @property
    def status(self) -> str:
        """Whether it was caught, or is no business of this layer."""
        if self.plant.layer != "numerics":
            return "CHANGED" if self.changed else "not this layer"
        return "caught" if self.changed else "MISSED"

    @property
    def clearest(self) -> Finding | None:
        """The row with a reason, or the first."""
        reasons = [row for row in self.changed if "undone" in row.reason]
        return next(iter(reasons or self.changed), None)


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
def source(plant: Plant | None, name: str = "one") -> Iterator[None]:
    """Have new processes import a copy of the source, with a plant in it.

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
        yield
    finally:
        shutil.rmtree(copy, ignore_errors=True)
        os.environ.clear()
        os.environ.update(before)


def recipes_for(plant: Plant, others: int, most: int | None = None) -> list[str]:
    """Return the recipes a plant could affect, so many at most, and some others."""
    recipes = parity_recipes()
    concerned = [
        name
        for name, recipe in recipes.items()
        if {technique for _, technique in used(recipe)} & set(plant.concerns)
    ]
    rest = [name for name in recipes if name not in concerned]
    if not plant.concerns:
        return list(recipes)[: None if most is None else most + others]
    return concerned[:most] + rest[:others]


def tried(plant: Plant, baseline: Baseline, recipes: Sequence[str], undo: int = 1) -> Verdict:
    """Plant a change, compare with the baseline, and look for what undoes some rows."""
    started = time.perf_counter()
    with source(plant, plant.backend):
        now: Measured = measure([plant.backend], recipes)
        result = with_reasons(compare(now, baseline), now, baseline, most=undo)
    changed = tuple(row for row in result.findings if row.fails)
    return Verdict(plant, changed, len(recipes), time.perf_counter() - started)


def page(verdicts: Sequence[Verdict], followed: str) -> str:
    """Return the table as Markdown."""
    counted = [verdict.status for verdict in verdicts]
    lines = [
        "# Planted changes",
        "",
        "Each was planted alone in a copy of the source and compared with fingerprints of the "
        f"untouched source. Followed were: {followed}.",
        "",
        f"{counted.count('caught')} caught, {counted.count('MISSED')} missed, "
        f"{len(counted) - counted.count('caught') - counted.count('MISSED')} of another layer.",
        "",
        "| planted | where | layer | found | rows | largest | told | reason | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for verdict in verdicts:
        row = verdict.clearest
        where = verdict.plant.backend
        if not verdict.plant.file.startswith("backends/"):
            where = f"harness, on {where}"
        size = f"{max(row.size for row in verdict.changed):.1e}" if row else ""
        cells = (
            *(verdict.plant.name, where, verdict.plant.layer, verdict.status),
            f"{len(verdict.changed)} of {verdict.followed}",
            *(size, f"{row.subject}: {row.told}" if row else "", row.reason if row else ""),
            f"{verdict.seconds:.0f}",
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _followed(asked: argparse.Namespace) -> str:
    """Say which recipes were followed."""
    concerned = "all recipes" if asked.most is None else f"at most {asked.most} recipes"
    told = f"{concerned} with the technique concerned and {asked.others} others"
    whole = ", ".join(asked.whole)
    return f"every recipe on {whole}; else {told}" if whole else told


def main() -> int:
    """Plant, compare, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path, required=True)
    parser.add_argument("--backend", action="append", default=[])
    parser.add_argument("--plant", action="append", default=[], help="words of its name")
    parser.add_argument("--others", type=int, default=5)
    parser.add_argument("--most", type=int, help="recipes concerned to follow, at most")
    parser.add_argument("--undo", type=int, default=1, help="rows to look for an undoing of")
    parser.add_argument("--whole", action="append", default=[], help="backends to follow in full")
    asked = parser.parse_args()
    chosen = [
        plant
        for plant in PLANTS
        if (not asked.backend or plant.backend in asked.backend)
        and (not asked.plant or any(words in plant.name for words in asked.plant))
    ]
    others = {p.backend: -1 if p.backend in asked.whole else asked.others for p in chosen}
    wanted = {
        plant: list(parity_recipes())
        if others[plant.backend] < 0
        else recipes_for(plant, asked.others, asked.most)
        for plant in chosen
    }
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory() as folder:
        baseline = Baseline(Path(folder))
        for backend in others:
            names = {n for plant in chosen if plant.backend == backend for n in wanted[plant]}
            with source(None, backend):
                baseline.accept(measure([backend], sorted(names)).entries, "untouched")
        for plant in chosen:
            verdicts.append(tried(plant, baseline, wanted[plant], asked.undo))
            print(
                f"{verdicts[-1].status:15} {verdicts[-1].seconds:4.0f} s  {plant.name}", flush=True
            )
            asked.markdown.write_text(page(verdicts, _followed(asked)), encoding="utf-8")
    wrong = [v for v in verdicts if v.status in ("MISSED", "CHANGED")]
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
