"""The page of the techniques: on every backend parity, speed and spread, as far as known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from manyseeds.report.parity import Parity
from manyseeds.report.rows import Row, rows_of
from manyseeds.report.templating import html, markdown
from manyseeds.report.wording import backend_name, number, unit
from manyseeds.statistics.comparisons import against
from manyseeds.suite import Suite
from manyseeds.technique import technique_name, techniques
from manyseeds.usage import used

NOT_RUN = "not run"
NOT_USED = "not in these suites"
PLAIN = "plain recipe"
NO_SECONDS = "no seconds"


@dataclass(frozen=True)
class Use:
    """A recipe that uses a technique on a backend, beside the suite's plain recipe.

    Attributes
    ----------
    kind, technique
        What is used.
    suite, recipe, baseline
        Where; the baseline does not use it. It is "" where the technique is part of the plain
        recipe itself.
    others
        By how many other techniques the two recipes differ.
    metric
        Whose spread it is.
    relative_seconds
        Seconds of a seed in a cohort, over those of the baseline; NaN where either is unknown.
    sd, baseline_sd
        Over seeds, in the metric's unit.
    """

    kind: str
    technique: str
    suite: str
    recipe: str
    baseline: str
    others: int
    backend: str
    metric: str
    relative_seconds: float
    sd: float
    baseline_sd: float


@dataclass(frozen=True)
class TechniqueCells:
    """A technique on a backend."""

    parity: str
    speed: str
    spread: str


@dataclass(frozen=True)
class TechniqueRow:
    """A technique: where its numbers come from, and its cells by backend."""

    kind: str
    technique: str
    place: str
    cells: tuple[TechniqueCells, ...]


@dataclass(frozen=True)
class TechniquesPage:
    """The table."""

    backends: Mapping[str, str]
    rows: tuple[TechniqueRow, ...]
    parity: str
    table: str | None


def uses(summary: pd.DataFrame, suite: Suite) -> tuple[Use, ...]:
    """Return which recipes of a suite show a technique; `summary` is that of `summary_table`.

    A comparison shows a technique if the recipe uses it and its baseline does not. A technique
    that every such pair shares is shown by the baseline alone.
    """
    using = {cell.recipe.name: used(cell.recipe) for cell in suite.cells}
    pairs = list(against(suite).items())
    shown: list[tuple[tuple[str, str], str, str]] = []
    for recipe, baseline in pairs:
        shown += [(key, recipe, baseline) for key in sorted(using[recipe] - using[baseline])]
    compared = {key for key, _, _ in shown}
    for name in suite.recipes():
        plain = sorted(using[name] - compared)
        compared |= using[name]
        shown += [(key, name, "") for key in plain]
    figures = _figures(summary, suite)
    return tuple(
        _use(key, recipe, baseline, backend, suite, figures, len(using[recipe] ^ others) - 1)
        for key, recipe, baseline in shown
        for others in [using[baseline] if baseline else using[recipe]]
        for backend in dict.fromkeys(summary["backend"])
    )


def techniques_page(
    found: Iterable[Use], parity: Parity | None, backends: Sequence[str], table: str | None
) -> TechniquesPage:
    """Put the table together: a row per technique there is, used or not."""
    by_technique: dict[tuple[str, str], list[Use]] = {}
    for use in found:
        by_technique.setdefault((use.kind, use.technique), []).append(use)
    keys = [(cls.kind, technique_name(cls)) for cls in techniques()]
    told = "not run: give `--parity FILE`, the JSON of `manyseeds parity --json`"
    if parity:
        told = f"{parity.steps} steps in float64, the same up to {parity.tolerance:g}"
    return TechniquesPage(
        backends={name: backend_name(name) for name in backends},
        rows=tuple(_row(key, by_technique.get(key, []), parity, backends) for key in keys),
        parity=told,
        table=table,
    )


def html_techniques(view: TechniquesPage) -> str:
    """Return the page as one HTML file."""
    return html("techniques.html", page=view)


def markdown_techniques(view: TechniquesPage) -> str:
    """Return the page as Markdown."""
    return markdown("techniques.md", page=view)


def uses_table(found: Iterable[Use]) -> pd.DataFrame:
    """Return all uses as a frame, with the columns of `Use`."""
    return pd.DataFrame([asdict(use) for use in found], columns=list(Use.__dataclass_fields__))


def _figures(summary: pd.DataFrame, suite: Suite) -> dict[tuple[str, str], Row]:
    """Return seconds and spread by recipe and backend, over the cases in the mean."""
    sd = f"{suite.primary.removeprefix('test_')}_sd"
    columns = {"cohort_seconds_per_seed": "seconds", sd: "sd"}
    table = summary.rename(columns=columns)
    means = table.groupby(["recipe", "backend"], sort=False)[["seconds", "sd"]].mean()
    return {(row["recipe"], row["backend"]): row for row in rows_of(means.reset_index())}


def _use(
    key: tuple[str, str],
    recipe: str,
    baseline: str,
    backend: str,
    suite: Suite,
    figures: Mapping[tuple[str, str], Row],
    others: int,
) -> Use:
    unknown = {"seconds": math.nan, "sd": math.nan}
    own = figures.get((recipe, backend), unknown)
    plain = figures.get((baseline, backend), unknown)
    return Use(
        kind=key[0],
        technique=key[1],
        suite=suite.name,
        recipe=recipe,
        baseline=baseline,
        others=max(others, 0),
        backend=backend,
        metric=suite.primary,
        relative_seconds=own["seconds"] / plain["seconds"] if plain["seconds"] > 0 else math.nan,
        sd=own["sd"],
        baseline_sd=plain["sd"],
    )


def _row(
    key: tuple[str, str], found: Sequence[Use], parity: Parity | None, backends: Sequence[str]
) -> TechniqueRow:
    """Tell of the comparison in which the least else differs; the others are in the CSV."""
    chosen = min(found, key=lambda use: (not use.baseline, use.others), default=None)
    place = (chosen.suite, chosen.recipe) if chosen else None
    told = {use.backend: use for use in found if (use.suite, use.recipe) == place}
    return TechniqueRow(
        kind=key[0],
        technique=key[1],
        place=_place(chosen, len({(use.suite, use.recipe) for use in found})),
        cells=tuple(
            TechniqueCells(
                parity=_parity(parity, key, backend),
                speed=_speed(told.get(backend)),
                spread=_spread(told.get(backend)),
            )
            for backend in backends
        ),
    )


def _place(use: Use | None, places: int) -> str:
    if use is None:
        return NOT_USED
    more = f" (and {places - 1} more)" if places > 1 else ""
    versus = f" against {use.baseline}" if use.baseline else ", the plain recipe"
    others = f", {use.others} other techniques differ" if use.others else ""
    return f"{use.suite}: {use.recipe}{versus}{others}{more}"


def _parity(parity: Parity | None, key: tuple[str, str], backend: str) -> str:
    if parity is None:
        return NOT_RUN
    cell = parity.cell(*key, backend)
    return cell.told() if cell else NOT_RUN


def _speed(use: Use | None) -> str:
    if use is None:
        return NOT_USED
    if not use.baseline:
        return PLAIN
    return NO_SECONDS if math.isnan(use.relative_seconds) else f"×{use.relative_seconds:.2f}"


def _spread(use: Use | None) -> str:
    if use is None:
        return NOT_USED
    shown = unit(use.metric)  # type: ignore[arg-type]
    if math.isnan(use.sd):
        return "fewer than two seeds"
    own = number(shown.scaled(use.sd), shown.digits) + shown.difference
    if math.isnan(use.baseline_sd):
        return own
    return f"{own} (plain {number(shown.scaled(use.baseline_sd), shown.digits)})"
