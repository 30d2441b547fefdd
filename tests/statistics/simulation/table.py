"""The simulation as a page of tables."""

import pandas as pd

from manyseeds.presentation.markdown import markdown_table

from . import families, intervals, verdicts
from .populations import NORMAL, POPULATIONS, SEEDS


def _percent(rate):
    return f"{100 * rate.share:.1f} ± {100 * rate.error:.1f}"


def _rows(heads, rows):
    return markdown_table(pd.DataFrame(rows, columns=heads).astype(str), heads[1:])


def _covered(label, n, found):
    return [label, n, *map(_percent, (found.covered, found.above, found.below)),
            f"{found.width:.2f}"]  # fmt: skip


HEADS = ["values", "seeds", "covered, %", "too high, %", "too low, %", "width"]


def means(trials, rng):
    """Return the coverage of the intervals of means."""
    return _rows(
        HEADS,
        [
            _covered(each.name, n, intervals.of_means(each, n, trials, rng))
            for each in POPULATIONS
            for n in SEEDS
        ],
    )


def spreads(trials, rng):
    """Return the coverage of the intervals of standard deviations."""
    return _rows(
        HEADS,
        [
            _covered(each.name, n, intervals.of_spreads(each, n, trials, rng))
            for each in POPULATIONS[:5]
            for n in SEEDS
        ],
    )


def ratios(trials, rng):
    """Return the coverage of the intervals of ratios of errors, and of shares."""
    rows = [
        _covered(f"ratio of errors of {images:,} images", n,
                 intervals.of_log_ratios(images, n, trials, rng))
        for images in (200, 2000)
        for n in SEEDS
    ]  # fmt: skip
    rows += [
        _covered(f"share of seeds, {chance:.0%}", n, intervals.of_shares(chance, n, trials, rng))
        for chance in (0.5, 0.8, 0.95)
        for n in SEEDS
    ]
    return _rows(HEADS, rows)


def wrong_verdicts(trials, rng):
    """Return how often each verdict is given on its very bound."""
    rows = []
    for each in POPULATIONS:
        for one in (each,) if each is NORMAL else (each, each.mirrored()):
            for n in SEEDS:
                found = verdicts.false_positives(one, n, trials, rng)
                rates = (found.holds, found.reversed, found.negligible, found.equivalent)
                rows.append([one.name, n, *map(_percent, rates)])
    heads = ["improvements", "seeds", "holds, %", "reversed, %", "negligible, %", "equivalent, %"]
    return _rows(heads, rows)


def wrong_families(trials, rng):
    """Return how often any verdict of a family is wrong."""
    rows = []
    for k in families.SIZES:
        for correlation in (0.0, 0.5, 0.9) if k > 1 else (0.0,):
            for n in SEEDS:
                rates = [
                    families.error_rate(kind(k), n, trials, rng, correlation)
                    for kind in families.KINDS
                ]
                rows.append([k, correlation, n, *map(_percent, rates)])
    heads = ["claims", "correlation", "seeds", "all on the bound, %", "half far beyond, %",
             "equivalences, %"]  # fmt: skip
    return _rows(heads, rows)


def powers(trials, rng):
    """Return how often claims hold, against what `manyseeds.statistics.power` says."""
    rows = [
        [each.name, n, f"{found.effect:.2f}", f"{100 * found.predicted:.1f}", _percent(found.held)]
        for each in (NORMAL, POPULATIONS[2])
        for n in SEEDS
        for found in verdicts.powers(n, trials, rng, each)
    ]
    return _rows(["improvements", "seeds", "effect, sd", "predicted, %", "held, %"], rows)
