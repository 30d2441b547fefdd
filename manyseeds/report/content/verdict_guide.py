"""The guide to reading a verdict, in words: the same on every page."""

from __future__ import annotations

from manyseeds.presentation.wording import SPACE
from manyseeds.statistics.verdict import LEAST_PAIRS

SURE_PAIRS = 30
"""With fewer pairs an interval may cover less than its nominal level."""

VERDICTS = (
    (
        "Holds",
        "the whole interval lies beyond the least effect that counts, which was fixed before any "
        "training.",
    ),
    ("Reversed", "the whole interval lies on the other side of no effect."),
    ("Negligible", "the whole interval lies within plus or minus the least effect."),
    ("Inconclusive", f"none of these, or fewer than {LEAST_PAIRS} pairs."),
)
"""Each verdict with its meaning."""

NOTES = (
    "A verdict is about the mean over the seeds. Differences are taken seed by seed. Averaging "
    "over several backends does not add seeds: a seed still counts once.",
    "The interval that a verdict rests on is corrected for the number of claims (Holm): with k "
    "claims of a suite still open on a backend, its coverage is 1 − 0.05 / k, so in at least "
    f"95{SPACE}% of suites no verdict is wrong. Single cases are a family of their own. The "
    f"95{SPACE}% interval beside it is not corrected.",
    "A claim that two recipes do not differ is judged by two one-sided tests: it holds if the same "
    "interval lies wholly within plus or minus the least effect, and is reversed if it lies wholly "
    "beyond.",
    "A training that diverged counts as guessing where guessing has a score; the result without "
    "such pairs is given beside it.",
    f"With fewer than {SURE_PAIRS} pairs, the interval of skewed values covers less than its "
    "nominal level, and an event that happens once in twenty trainings may not have happened yet: "
    "the verdict is less certain than it looks.",
    "Bounds of means are the outermost of three: the BCa bootstrap's (10,000 resamples), "
    "Student's, and Student's corrected for skewness; those of shares are exact (Clopper and "
    "Pearson).",
)
"""Notes that apply to all verdicts."""
