"""Counts false alarms of the gate's accuracy layer, and how often it finds a change.

    python -m tests.gate.null_accuracy --markdown FILE [--run RUN]… [--runs LEFT RIGHT]…

Made-up entries go through `compare` as trained ones do. In real runs, every two backends are
compared as if one were a later version of the other (`--run`; they are the same training to 1e-9 in
float64, on the same seeds), and a run is compared with a second one of the same code under other
conditions (`--runs`).
"""

import argparse
import itertools
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
from scipy import stats

from manyseeds.check.accuracy.comparison import compare, compare_pairs, compare_runs
from manyseeds.check.accuracy.entries import FORM, entries_of
from manyseeds.check.accuracy.judgement import FAMILY_LEVEL, level_among
from manyseeds.check.baseline import BaselineEntry
from manyseeds.check.findings import LayerResult
from manyseeds.check.rows import Row
from manyseeds.ledger.ledger import Ledger
from manyseeds.presentation.markdown import markdown_rows

SEEDS = 30
RECIPES = 20
IMAGES = 2_000
GUESS, SD = 0.1, 0.01

Draw = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Population:
    """Accuracies over seeds, as a function of quantiles in (0, 1); a few diverge."""

    name: str
    accuracy: Draw
    diverged: float = 0.0


def _skewed(u):
    return 0.785 - SD * stats.gamma.ppf(1 - u, 1.0)


def _stuck(u):
    return np.where(u < 0.07, 0.4 + 2 * u, 0.76 + SD * stats.norm.ppf(u))


POPULATIONS = (
    Population("normal, sd 1 point", lambda u: 0.76 + SD * stats.norm.ppf(u)),
    Population("skewed: exponential below the best", _skewed),
    Population("discrete: sd of 2 images", lambda u: 0.984 + 0.001 * stats.norm.ppf(u)),
    Population("two modes: 7 % stuck 30 points below", _stuck),
    Population("10 % diverge", lambda u: 0.76 + SD * stats.norm.ppf(u), diverged=0.1),
)


@dataclass(frozen=True)
class Change:
    """A change of one recipe of a family; the others stay as they are."""

    shift: float = 0.0
    spread: float = 1.0
    diverged: float = 0.0


NONE = Change()


def quantiles(rng, correlation):
    """Return quantiles of two sides, [2, SEEDS], correlated by a Gaussian copula."""
    first, other = rng.standard_normal((2, SEEDS))
    second = correlation * first + np.sqrt(1 - correlation**2) * other
    # Quantiles of exactly 0 or 1 would be infinite values.
    return np.clip(stats.norm.cdf([first, second]), 1e-9, 1 - 1e-9)


def pair(rng, population, correlation, name, change=NONE, *, unpaired=False):
    """Draw a recipe then and now."""
    accuracy, loss, fate = (quantiles(rng, correlation) for _ in range(3))
    entries = []
    for side, done in enumerate((NONE, change)):
        centre = population.accuracy(np.array(0.5))
        values = centre + done.spread * (population.accuracy(accuracy[side]) - centre)
        diverged = fate[side] < population.diverged + done.diverged
        values = np.where(diverged, GUESS, np.round((values + done.shift) * IMAGES) / IMAGES)
        arrays = {
            "seeds": np.arange(SEEDS) + (1_000 * side if unpaired else 0),
            "status": diverged.astype(np.int8),
            "test_accuracy": np.minimum(values, 1.0),
            "test_loss": np.where(diverged, 2.3, 0.65 + 0.02 * stats.norm.ppf(loss[side])),
        }
        entries.append(BaselineEntry(Row("accuracy", "made_up", f"null/{name}"), CONTEXT, arrays))
    return entries


CONTEXT = {
    "form": FORM,
    "primary": "test_accuracy",
    "varied": ["init"],
    "least_effects": {"test_accuracy": 0.005, "test_loss": 0.02},
    "recipe_sha256": "",
    "recipe": {},
    "datasets": {},
    "deterministic": False,
}


def family(rng, population, correlation, change=NONE, *, unpaired=False) -> LayerResult:
    """Compare RECIPES recipes, the first of them changed."""
    pairs = []
    for number in range(RECIPES):
        done = change if number == 0 else NONE
        then, now = pair(rng, population, correlation, str(number), done, unpaired=unpaired)
        pairs.append((now, then))
    if unpaired:  # as `compare_runs` does with two ledgers
        return compare_pairs(pairs, same_seeds=False)
    baseline = {then.row: then for _, then in pairs}
    return compare([now for now, _ in pairs], baseline.get)


@dataclass(frozen=True)
class Alarms:
    """The states of findings about unchanged families, and how many families raised an alarm."""

    states: Counter[str]
    alarmed: int
    families: int

    def __add__(self, other: "Alarms") -> "Alarms":
        return Alarms(
            self.states + other.states,
            self.alarmed + other.alarmed,
            self.families + other.families,
        )

    def row(self, name: str, how: str) -> list[str]:
        total, changed = self.states.total(), self.states["changed"]
        share = stats.binomtest(self.alarmed, self.families).proportion_ci(0.95)
        return [
            *(name, how, f"{total:,}", str(changed), f"{changed / total:.3%}"),
            f"{self.alarmed} of {self.families}",
            f"{self.alarmed / self.families:.1%} [{share.low:.1%}, {share.high:.1%}]",
            f"{self.states['unchanged'] / total:.0%}",
        ]


def false_alarms(population, correlation, families, seed, *, unpaired=False) -> Alarms:
    """Compare unchanged families, and count the alarms."""
    rng = np.random.default_rng([seed, int(100 * correlation), unpaired])
    states: Counter[str] = Counter()
    alarmed = 0
    for _ in range(families):
        result = family(rng, population, correlation, unpaired=unpaired)
        own = [finding.state for finding in result.findings]
        states.update(own)
        alarmed += "changed" in own
    return Alarms(states, alarmed, families)


def power(change, quantity, correlation, families, seed) -> list[str]:
    """Return a row: how often a change of one recipe is found, and how many false alarms."""
    rng = np.random.default_rng([seed, 1, int(100 * correlation)])
    hits = falsely = 0
    states: Counter[str] = Counter()
    for _ in range(families):
        for finding in family(rng, POPULATIONS[0], correlation, change).findings:
            mine = finding.subject.startswith("null/0/")
            falsely += finding.state == "changed" and not mine
            if mine and finding.subject.endswith(f"/{quantity}"):
                states[finding.state] += 1
                hits += finding.state == "changed"
    return [
        *(_in_words(change), f"{correlation:g}", f"{hits / families:.0%}"),
        f"{states['cannot tell'] / families:.0%}",
        f"{states['unchanged'] / families:.0%}",
        _predicted(change, correlation),
        str(falsely),
    ]


def _in_words(change):
    if change.shift:
        return f"mean {100 * change.shift:+g} points"
    if change.spread != 1:
        return f"sd × {change.spread:g}"
    return f"{change.diverged:.0%} diverge"


def _predicted(change, correlation):
    """Return the power of Student's interval at the first level, for shifts of the mean."""
    if not change.shift:
        return ""
    error = SD * np.sqrt(2 * (1 - correlation)) / np.sqrt(SEEDS)
    level = level_among(3 * RECIPES)
    critical = stats.t.ppf((1 + level) / 2, SEEDS - 1)
    away = abs(change.shift) / error
    least = (abs(change.shift) - CONTEXT["least_effects"]["test_accuracy"]) / error
    return f"{min(stats.nct.sf(critical, SEEDS - 1, away), stats.norm.cdf(least)):.0%}"


CHANGES = (
    *((Change(shift=-size), "test_accuracy") for size in (0.005, 0.0075, 0.01, 0.015, 0.02)),
    *((Change(spread=factor), "test_accuracy spread") for factor in (2.0, 3.0, 4.0)),
    *((Change(diverged=share), "diverged") for share in (0.2, 0.4, 0.6)),
)


def between_backends(path: Path) -> Iterator[list[str]]:
    """Compare a run's backends with each other."""
    entries = [entry for entry in entries_of(Ledger.open(path)) if _delivered(entry)]
    by_row = {entry.row: entry for entry in entries}
    backends = list(dict.fromkeys(entry.backend for entry in entries))
    for then, now in itertools.combinations(backends, 2):
        before = {
            entry.row: replace(entry.row, backend=then) for entry in entries if entry.backend == now
        }
        shared = [by_row[row] for row, other in before.items() if other in by_row]
        result = compare(shared, lambda row, before=before: by_row[before[row]])
        yield _real(path.name, f"{then} → {now}", result)


def _delivered(entry: BaselineEntry) -> bool:
    return bool((entry.arrays["status"] <= 1).all())


def _real(run: str, what: str, result: LayerResult) -> list[str]:
    states = Counter(finding.state for finding in result.findings)
    alarms = [f"{f.subject}: {f.message}" for f in result.findings if f.state == "changed"]
    return [
        *(run, what, str(result.comparisons)),
        *(str(states[name]) for name in ("unchanged", "cannot tell", "changed")),
        "; ".join(alarms),
    ]


PAGE = """\
# How reliable the gate's accuracy layer is

Made by

    {command}

Families of {recipes} recipes with {seeds} seeds each go through the accuracy layer's `compare`:
mean accuracy, mean loss and spread, {comparisons} comparisons, and the share of diverged seeds if
any diverge. The least effects are half a point of accuracy and 0.02 of loss. At least {level:.0%}
of families in which nothing has changed should raise no alarm.

## Nothing has changed

Then and now are drawn from one population. *Correlation*: between a seed's accuracies then and now,
which differ by float32 rounding; "unpaired": different seeds. *Unchanged*: shown to be equivalent;
the rest is "cannot tell".

{null}

## One recipe of {recipes} has changed

Normal accuracies, sd 1 point. *Predicted*: by Student's interval, with all comparisons open.
*Elsewhere*: false alarms about the other recipes of all {families} families.

{power}

## Real runs in which nothing has changed

{real}
"""


NULL_COLUMNS = (
    *("accuracies", "correlation", "comparisons", "alarms", "per comparison"),
    *("families alarmed", "per family [95 %]", "unchanged"),
)
POWER_COLUMNS = (
    *("change", "correlation", "found", "cannot tell", "unchanged", "predicted"),
    "elsewhere",
)
REAL_COLUMNS = ("run", "compared", "comparisons", "unchanged", "cannot tell", "changed", "alarms")


def null_rows(families, seed):
    """Return the rows of unchanged families, one for each population, and one for all."""
    counted = {
        (population.name, "unpaired" if unpaired else f"{correlation:g}"): false_alarms(
            population, correlation, families, seed, unpaired=unpaired
        )
        for population in POPULATIONS
        for correlation, unpaired in ((0.0, False), (0.9, False), (0.0, True))
    }
    rows = [alarms.row(*names) for names, alarms in counted.items()]
    return [*rows, reduce(add, counted.values()).row("all", "")]


def real_rows(options):
    """Return the rows of real runs."""
    rows = [row for path in options.run for row in between_backends(path)]
    for left, right in options.runs:
        result = compare_runs(Ledger.open(left), Ledger.open(right))
        rows.append(_real(left.name, f"→ {right.name}; {'; '.join(result.notes[1:])}", result))
    return rows


def main():
    """Count alarms, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path, required=True)
    parser.add_argument("--families", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--run", type=Path, action="append", default=[])
    parser.add_argument("--runs", type=Path, nargs=2, action="append", default=[])
    options = parser.parse_args()
    families = max(10, options.families // 4)
    powers = [
        power(change, quantity, correlation, families, options.seed)
        for change, quantity in CHANGES
        for correlation in (0.0, 0.9)
    ]
    arguments = map(_short, sys.argv[1:])
    page = PAGE.format(
        command=shlex.join(["python", "-m", "tests.gate.null_accuracy", *arguments]),
        recipes=RECIPES,
        seeds=SEEDS,
        comparisons=3 * RECIPES,
        level=FAMILY_LEVEL,
        families=families,
        null=markdown_rows(NULL_COLUMNS, null_rows(options.families, options.seed)),
        power=markdown_rows(POWER_COLUMNS, powers),
        real=markdown_rows(REAL_COLUMNS, real_rows(options)),
    )
    options.markdown.write_text(page, encoding="utf-8")


def _short(argument: str) -> str:
    """Return an argument without the folders of this machine."""
    return Path(argument).name if Path(argument).is_absolute() else argument


if __name__ == "__main__":
    main()
