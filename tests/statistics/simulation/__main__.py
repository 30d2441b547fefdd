"""Write the table: `python -m tests.statistics.simulation --markdown FILE`."""

import argparse
from pathlib import Path

import numpy as np

from . import table

PAGE = """\
# What the intervals and verdicts are worth

Samples of known origin, judged by `manyseeds.statistics` as the report judges seeds. Made by

    {command}

Every share is of {trials:,} trials (of families: {families:,}) and stands with one Monte Carlo
standard error. `tests/statistics/test_simulation.py` holds the bounds that are promised here.

## Means

Nominal coverage 95 %. *Too high*: the interval lies wholly above the truth; *too low*: below it.
*Width*: the median, in that of Student's interval with the true standard deviation. From 30 seeds
on 93 to 97 % are promised, but for the last two kinds of values: a log-normal with skewness 6, and
seeds of which one in 20 diverges, which few seeds may not contain at all. With fewer seeds less is
promised, and of skewed values less is found.

{means}

## Standard deviations

In the width of the interval by χ² for normal values. Of skewed values 30 seeds say less than they
seem to, because what is far from the mean is seldom among them.

{spreads}

## Ratios of mean errors, and shares

The interval of a share is exact (Clopper and Pearson): it covers at least 95 %, of few seeds more.
Its width is in that of the normal approximation.

{ratios}

## Wrong verdicts of one claim

How often each verdict is given where the truth lies on its very bound: *holds* and *negligible*
where the effect is exactly the least one, *reversed* where there is none, *equivalent* where the
difference is exactly the margin. All are given by 95 % intervals, which may miss on one side in
2.5 % of cases; at most 5 % are promised from 30 seeds on, and for all but skewed values from 5 on.

{wrong_verdicts}

## Wrong verdicts in a family of claims

How often any of the verdicts is wrong, at most 5 %: with all claims on their bounds; with every
other one far beyond it, whose verdicts make room for the others (Holm 1979); and of equivalences
that just miss their margin. The improvements are normal; any two claims' have this correlation.

{wrong_families}

## Power

How often a claim holds that should, against `manyseeds.statistics.power`. Effects are in standard
deviations beyond the least effect.

{powers}
"""
SECTIONS = ("means", "spreads", "ratios", "wrong_verdicts", "wrong_families", "powers")


def main():
    """Simulate, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--families", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=2026)
    asked = parser.parse_args()
    found = {}
    for place, name in enumerate(SECTIONS):
        trials = asked.families if name == "wrong_families" else asked.trials
        rng = np.random.default_rng([asked.seed, place])
        found[name] = getattr(table, name)(trials, rng)
        print(found[name], flush=True)
    command = (
        f"python -m tests.statistics.simulation --markdown {asked.markdown.as_posix()}"
        f" --trials {asked.trials} --families {asked.families} --seed {asked.seed}"
    )
    page = PAGE.format(
        command=command, trials=asked.trials, families=asked.families, **found
    )  # fmt: skip
    asked.markdown.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
