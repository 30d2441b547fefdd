"""Numbers and names as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from manyseeds.statistics.pairs import ALL
from manyseeds.suite.claims import (
    Claim,
    ClaimMetric,
    Ordering,
    ProbabilityOfImprovement,
    Ratio,
    TimeToTarget,
    metric_of,
)

NONE = "–"
"""Stands in place of a missing number."""

SPACE = "\u00a0"
MINUS = "\u2212"

_NAMES = {"pytorch": "PyTorch", "tensorflow": "TensorFlow", "jax": "JAX", ALL: "all, by seed"}


@dataclass(frozen=True)
class Unit:
    """How a metric is shown.

    Attributes
    ----------
    metric
        Its name in a sentence.
    factor
        The factor from the record's unit to the unit shown.
    digits
        Digits after the decimal point.
    suffix, difference
        The text after a value, and after a difference of values.
    """

    metric: str
    factor: float
    digits: int
    suffix: str
    difference: str

    def scaled(self, value: float) -> float:
        """Return a value in the unit shown."""
        return value * self.factor

    def spread(self, value: float) -> float:
        """Return a standard deviation in the unit shown."""
        return value * self.factor

    @property
    def of_values(self) -> str:
        """The name of the unit of a value: "%", or that of the metric if it has none."""
        return self.suffix.strip() or self.metric

    @property
    def of_gains(self) -> str:
        """The name of the unit of an improvement: "points", or that of a value."""
        return self.difference.strip() or self.of_values

    def value(self, value: float) -> str:
        """Return "96.53 %"."""
        text = number(self.scaled(value), self.digits)
        return text if text == NONE else text + self.suffix

    def bare(self, value: float) -> str:
        """Return "96.53", for a column whose head has the unit."""
        return number(self.scaled(value), self.digits)

    def gain(self, value: float) -> str:
        """Return "+1.96"."""
        return signed(self.scaled(value), self.digits)

    def points(self, value: float) -> str:
        """Return "1.96 points"."""
        digits = self.digits if math.isnan(value) else _needed(self.scaled(value), self.digits)
        text = number(self.scaled(value), digits)
        singular = text == "1" and self.difference == " points"
        return text + (" point" if singular else self.difference)

    def interval(self, low: float, high: float) -> str:
        """Return "1.79 to 2.13"."""
        if math.isnan(low) or math.isnan(high):
            return NONE
        return f"{self.bare(low)} to {self.bare(high)}"


class RatioUnit(Unit):
    """The unit of ratios, which the tables hold as logarithms."""

    def scaled(self, value: float) -> float:
        """Return the ratio."""
        return math.exp(value)

    def spread(self, value: float) -> float:
        """Return the factor by which ratios typically differ from their geometric mean."""
        return math.exp(value)

    def gain(self, value: float) -> str:
        """Return "×1.87"."""
        return NONE if math.isnan(value) else f"×{self.bare(value)}"

    def points(self, value: float) -> str:
        """Return "a factor of 1.5"."""
        return f"a factor of {number(self.scaled(value), _needed(self.scaled(value), self.digits))}"


class ProbabilityUnit(Unit):
    """The unit of probabilities, which the tables hold minus one half."""

    def scaled(self, value: float) -> float:
        """Return the probability in per cent."""
        return 100 * (value + 0.5)

    def gain(self, value: float) -> str:
        """Return "72 %"."""
        return self.value(value)

    def points(self, value: float) -> str:
        """Return "75 %"."""
        return self.value(value)


def _share(metric: str) -> Unit:
    return Unit(metric, 100, 2, f"{SPACE}%", " points")


def _plain(metric: str) -> Unit:
    return Unit(metric, 1, 4, "", "")


_UNITS: Mapping[ClaimMetric, Unit] = {
    "test_accuracy": _share("test accuracy"),
    "test_loss": _plain("test loss"),
    "test_brier": _plain("Brier score"),
    "test_ece": _share("calibration error"),
    "mc_accuracy": _share("Monte Carlo accuracy"),
    "mc_loss": _plain("Monte Carlo loss"),
    "mc_brier": _plain("Monte Carlo Brier score"),
    "mc_ece": _share("Monte Carlo calibration error"),
    "fitted_accuracy": _share("training accuracy"),
    "fitted_loss": _plain("training loss"),
    "zero_share": _share("share of zero weights"),
    "dead_share": _share("share of dead units"),
    "normality_error": Unit("distance from mean 0, sd 1", 1, 3, "", ""),
    "generalisation_gap": _plain("test loss less training loss"),
}


METRICS: tuple[ClaimMetric, ...] = tuple(_UNITS)
"""Every metric that has a unit, in the order of tables."""


def metric_unit(metric: ClaimMetric) -> Unit:
    """Return the unit of a metric."""
    return _UNITS[metric]


def claim_unit(claim: Claim) -> Unit:
    """Return the unit of a claim's improvement."""
    match claim:
        case Ratio():
            return RatioUnit("ratio of errors", 1, 2, "", "")
        case ProbabilityOfImprovement():
            return ProbabilityUnit("probability of improvement", 100, 0, f"{SPACE}%", "")
        case Ordering():
            return Unit("Kendall's tau", 1, 2, "", "")
        case TimeToTarget(clock="epochs"):
            return Unit("epochs", 1, 1, " epochs", " epochs")
        case TimeToTarget():
            return Unit("seconds", 1, 2, f"{SPACE}s", f"{SPACE}s")
        case _:
            return metric_unit(claim.metric)


def means_unit(claim: Claim) -> Unit:
    """Return the unit of the means of a claim's recipes."""
    own = isinstance(claim, Ordering | TimeToTarget)
    return claim_unit(claim) if own else metric_unit(metric_of(claim))


def number(value: float, digits: int) -> str:
    """Return a number with a true minus sign; a dash for NaN."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def signed(value: float, digits: int) -> str:
    """Return a number with its sign."""
    text = number(value, digits)
    plain = text == NONE or text.startswith(MINUS) or (math.isfinite(value) and float(text) == 0)
    return text if plain else f"+{text}"


def percent(share: float) -> str:
    """Return a share in per cent, with a decimal where it is near 0 or 100."""
    if math.isnan(share):
        return NONE
    extreme = share < 0.0995 or share > 0.9905
    digits = _needed(round(100 * share, 1), 1) if extreme else 0
    return number(100 * share, digits) + f"{SPACE}%"


def seconds(value: float) -> str:
    """Return seconds with three significant digits."""
    if math.isnan(value):
        return NONE
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return number(value, digits)


def duration(value: float) -> str:
    """Return "1 h 02 min" for 3,720 seconds, "3 min 05 s" for 185, "12 s" for 12."""
    if math.isnan(value):
        return NONE
    if value < 60:
        return f"{seconds(value)}{SPACE}s"
    if value < 3600:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes}{SPACE}min {rest:02d}{SPACE}s"
    hours, rest = divmod(round(value / 60), 60)
    return f"{hours:,}{SPACE}h {rest:02d}{SPACE}min"


def p_value(value: float) -> str:
    """Return a p-value with three significant digits: 0.0625, the least of five pairs, fits."""
    if math.isnan(value):
        return NONE
    return "< 0.0001" if value < 1e-4 else f"{value:.3g}"


def ordinal(value: float) -> str:
    """Return "91st" for 91.2; only 100 itself is "100th", only 0 "0th"."""
    if math.isnan(value):
        return NONE
    whole = min(max(round(value), 1 if value > 0 else 0), 100 if value >= 100 else 99)
    teen = 10 <= whole % 100 <= 20
    return f"{whole}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(whole % 10, 'th')}"


def listed(words: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def number_of(count: float, noun: str) -> str:
    """Return "1 seed" or "1,200 seeds"."""
    return f"{count:,.0f} {noun}{'' if count == 1 else 's'}"


def value_of(claim: Claim) -> str:
    """Return the name of the value that a claim needs of each training: "a curve" for times."""
    if not isinstance(claim, TimeToTarget):
        return "a value"
    return "a curve" if claim.clock == "epochs" else "a curve or seconds alone"


def backend_name(backend: str) -> str:
    """Return a backend's name as its makers write it."""
    return _NAMES.get(backend, backend)


def flags_left_out(flags: Sequence[str]) -> str:
    """Return a remark about compiler flags that a backend could not set.

    >>> flags_left_out(["--xla_a=true"])
    'its compiler does not know --xla_a=true, which was left out: numbers may depend on it'
    """
    return (
        f"its compiler does not know {listed(flags)}, which was left out: numbers may depend on it"
    )


def case_name(case: str) -> str:
    """Return a case in words."""
    return "all cases" if case == ALL else f"case {case}" if case else ""


def _needed(value: float, digits: int) -> int:
    """Return the fewest digits that say as much as `digits` would: 1 rather than 1.00."""
    return next(n for n in range(digits + 1) if n == digits or math.isclose(value, round(value, n)))
