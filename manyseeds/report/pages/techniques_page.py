"""The page of the techniques: parity, speed and spread of each on every backend."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from manyseeds.presentation.markdown import markdown_table
from manyseeds.presentation.wording import backend_name, metric_unit, number
from manyseeds.report.frame_rows import Row, rows_of
from manyseeds.report.pages.templating import html, markdown
from manyseeds.report.parity_report import ParityMatrix
from manyseeds.statistics.comparisons import against
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.suite import Suite
from manyseeds.suite.techniques_used import used
from manyseeds.techniques.registry import technique_name, techniques

NOT_RUN = "not run"
NOT_USED = "not in these suites"
PLAIN = "nothing to compare"
NO_SECONDS = "no seconds of training"


@dataclass(frozen=True)
class TechniqueUse:
    """A recipe that uses a technique on a backend, beside the suite's plain recipe.

    Attributes
    ----------
    kind, technique
        The kind and name of the technique.
    suite, recipe, baseline
        The suite, the recipe, and a baseline that does not use the technique; "" where the
        technique is part of the plain recipe itself.
    others
        The number of other techniques in which the two recipes differ; the technique that this one
        replaces does not count.
    epochs, baseline_epochs
        The most epochs trained, over all phases.
    metric
        The metric of the spread.
    relative_seconds
        Seconds of a seed in a cohort over those of the baseline; NaN where either is unknown.
    sd, baseline_sd
        Standard deviation over seeds, in the metric's unit.
    """

    kind: str
    technique: str
    suite: str
    recipe: str
    baseline: str
    others: int
    epochs: int
    baseline_epochs: int
    backend: str
    metric: str
    relative_seconds: float
    sd: float
    baseline_sd: float


@dataclass(frozen=True)
class TechniqueCells:
    """A technique on a backend, in words."""

    parity: str
    speed: str
    spread: str


@dataclass(frozen=True)
class TechniqueRow:
    """A technique: the recipes its numbers come from, and its cells by backend."""

    kind: str
    technique: str
    place: str
    cells: tuple[TechniqueCells, ...]


@dataclass(frozen=True)
class TechniquesPage:
    """The table of the techniques."""

    backends: Mapping[str, str]
    rows: tuple[TechniqueRow, ...]
    parity: str
    table: str | None


def uses(summary: pd.DataFrame, suite: Suite) -> tuple[TechniqueUse, ...]:
    """Return the recipes of a suite that show a technique; `summary` is that of `summary_table`.

    A comparison shows a technique if the recipe uses it and its baseline does not. A technique that
    no comparison shows is shown by the first recipe that uses it, without a baseline.
    """
    figures = _figures(summary, suite)
    backends = dict.fromkeys(summary["backend"])
    return tuple(
        _use(shown, backend, suite, figures) for shown in _shown(suite) for backend in backends
    )


@dataclass(frozen=True)
class _Shown:
    """A technique, by kind and name, in a recipe; the baseline is None where there is none."""

    key: tuple[str, str]
    recipe: Recipe
    baseline: Recipe | None

    def others(self) -> int:
        """Count the other differences; of the technique's own kind, only additions."""
        if self.baseline is None:
            return 0
        ours, theirs = used(self.recipe), used(self.baseline)
        gone = [key for key in theirs - ours if key[0] != self.key[0]]
        return len(ours - theirs) - 1 + len(gone)


def _shown(suite: Suite) -> Iterator[_Shown]:
    recipes = {cell.recipe.name: cell.recipe for cell in reversed(suite.cells)}
    compared = set()
    for name, baseline in against(suite).items():
        recipe, plain = recipes[name], recipes[baseline]
        for key in sorted(used(recipe) - used(plain)):
            compared.add(key)
            yield _Shown(key, recipe, plain)
    for name in suite.recipes():
        for key in sorted(used(recipes[name]) - compared):
            compared.add(key)
            yield _Shown(key, recipes[name], None)


def techniques_page(
    uses: Iterable[TechniqueUse],
    parity: ParityMatrix | None,
    backends: Sequence[str],
    table: str | None,
) -> TechniquesPage:
    """Return the page: one row per technique that exists, used or not."""
    by_technique: dict[tuple[str, str], list[TechniqueUse]] = {}
    for use in uses:
        by_technique.setdefault((use.kind, use.technique), []).append(use)
    keys = [(cls.kind, technique_name(cls)) for cls in techniques()]
    parity_text = (
        "not run (pass the output of manyseeds parity --json to manyseeds report --parity FILE)"
    )
    if parity:
        parity_text = f"{parity.steps} steps in float64, equal to within {parity.tolerance:g}"
    return TechniquesPage(
        backends={name: backend_name(name) for name in backends},
        rows=tuple(_row(key, by_technique.get(key, []), parity, backends) for key in keys),
        parity=parity_text,
        table=table,
    )


def html_techniques(view: TechniquesPage) -> str:
    """Return the page as one HTML file."""
    return html("techniques.html", page=view)


def markdown_techniques(view: TechniquesPage) -> str:
    """Return the page as Markdown."""
    names = view.backends.values()
    heads = ["Technique", "Kind", "Where"]
    heads += [head for name in names for head in (f"{name}: parity", "speed", "spread")]
    rows = [
        [row.technique, row.kind, row.place]
        + [text for cell in row.cells for text in (cell.parity, cell.speed, cell.spread)]
        for row in view.rows
    ]
    table = pd.DataFrame(rows, columns=heads, dtype=object)
    techniques = markdown_table(table, ("speed", "spread"))
    return markdown("techniques.md", page=view, techniques=techniques)


def uses_table(uses: Iterable[TechniqueUse]) -> pd.DataFrame:
    """Return all uses as a frame, with the columns of `TechniqueUse`."""
    return pd.DataFrame(
        [asdict(use) for use in uses], columns=list(TechniqueUse.__dataclass_fields__)
    )


def _figures(summary: pd.DataFrame, suite: Suite) -> dict[tuple[str, str], Row]:
    """Return seconds and spread by recipe and backend, averaged over cases.

    Cases differ by far more than recipes do: without one of them there is no average.
    """
    sd = f"{suite.primary.removeprefix('test_')}_sd"
    columns = {"cohort_seconds_per_seed": "seconds", sd: "sd"}
    table = summary.rename(columns=columns)
    means = table.groupby(["recipe", "backend"], sort=False)[["seconds", "sd"]].mean(skipna=False)
    return {(row["recipe"], row["backend"]): row for row in rows_of(means.reset_index())}


def _use(
    shown: _Shown, backend: str, suite: Suite, figures: Mapping[tuple[str, str], Row]
) -> TechniqueUse:
    unknown = {"seconds": math.nan, "sd": math.nan}
    baseline = shown.baseline.name if shown.baseline else ""
    own = figures.get((shown.recipe.name, backend), unknown)
    plain = figures.get((baseline, backend), unknown)
    return TechniqueUse(
        kind=shown.key[0],
        technique=shown.key[1],
        suite=suite.name,
        recipe=shown.recipe.name,
        baseline=baseline,
        others=shown.others(),
        epochs=_epochs(shown.recipe),
        baseline_epochs=_epochs(shown.baseline or shown.recipe),
        backend=backend,
        metric=suite.primary,
        relative_seconds=own["seconds"] / plain["seconds"] if plain["seconds"] > 0 else math.nan,
        sd=own["sd"],
        baseline_sd=plain["sd"],
    )


def _epochs(recipe: Recipe) -> int:
    return sum(phase.epochs for phase in recipe.phases)


def _row(
    key: tuple[str, str],
    uses: Sequence[TechniqueUse],
    parity: ParityMatrix | None,
    backends: Sequence[str],
) -> TechniqueRow:
    """Return the row of a technique from the comparison in which the least else differs.

    The other comparisons are in the CSV.
    """
    chosen = min(uses, key=_distance, default=None)
    place = (chosen.suite, chosen.recipe) if chosen else None
    by_backend = {use.backend: use for use in uses if (use.suite, use.recipe) == place}
    return TechniqueRow(
        kind=key[0],
        technique=key[1],
        place=_place(chosen, len({(use.suite, use.recipe) for use in uses})),
        cells=tuple(
            TechniqueCells(
                parity=_parity(parity, key, backend),
                speed=_speed(by_backend.get(backend)),
                spread=_spread(by_backend.get(backend)),
            )
            for backend in backends
        ),
    )


def _distance(use: TechniqueUse) -> tuple[bool, bool, int]:
    """Return a sort key: with a baseline first, then equal length, then few other differences."""
    return not use.baseline, use.epochs != use.baseline_epochs, use.others


def _place(use: TechniqueUse | None, places: int) -> str:
    if use is None:
        return NOT_USED
    more = f" (and {places - 1} more)" if places > 1 else ""
    if not use.baseline:
        return f"{use.suite}: {use.recipe}, nothing to compare it with{more}"
    differ = "technique differs" if use.others == 1 else "techniques differ"
    others = f"; {use.others} other {differ}" if use.others else ""
    if use.epochs != use.baseline_epochs:
        others += f"; {use.epochs} epochs against {use.baseline_epochs}"
    return f"{use.suite}: {use.recipe} against {use.baseline}{others}{more}"


def _parity(parity: ParityMatrix | None, key: tuple[str, str], backend: str) -> str:
    if parity is None:
        return NOT_RUN
    cell = parity.cell(*key, backend)
    return cell.text() if cell else NOT_RUN


def _speed(use: TechniqueUse | None) -> str:
    if use is None:
        return NOT_USED
    if not use.baseline:
        return PLAIN
    return NO_SECONDS if math.isnan(use.relative_seconds) else f"×{use.relative_seconds:.2f}"


def _spread(use: TechniqueUse | None) -> str:
    if use is None:
        return NOT_USED
    unit = metric_unit(use.metric)  # type: ignore[arg-type]
    if math.isnan(use.sd):
        return "fewer than two seeds"
    own = number(unit.spread(use.sd), unit.digits) + unit.difference
    if math.isnan(use.baseline_sd):
        return own
    return f"{own} (plain {number(unit.spread(use.baseline_sd), unit.digits)})"
