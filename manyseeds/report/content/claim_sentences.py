"""The finding on a claim, in sentences: the effect, the verdict and what it rests on."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from manyseeds.presentation.wording import (
    MINUS,
    SPACE,
    ProbabilityUnit,
    Unit,
    backend_name,
    claim_unit,
    listed,
    metric_unit,
    number,
    number_of,
    percent,
    value_of,
)
from manyseeds.report.content.verdict_guide import SURE_PAIRS
from manyseeds.report.frame_rows import Row, rows_of
from manyseeds.statistics.bootstrap import LEVEL
from manyseeds.statistics.pairs import ALL
from manyseeds.statistics.verdict import LEAST_PAIRS
from manyseeds.suite.claims import (
    Calibration,
    Claim,
    Difference,
    Equivalence,
    Ordering,
    ProbabilityOfImprovement,
    Ratio,
    Share,
    ThresholdClaim,
    TimeToTarget,
)
from manyseeds.suite.suite import Suite

Paired = Difference | Calibration | Share | Equivalence


def sentences(claim: Claim, rows: pd.DataFrame, suite: Suite) -> list[str]:
    """Return the finding over all backends: the effect, the verdict, and the conditions.

    Parameters
    ----------
    claim, suite
        The claim, and its suite.
    rows
        The claim's rows of `claims_table` in one case.
    """
    row = rows_of(rows[rows["backend"] == ALL])[0]
    if not row["pairs"]:
        return [_nothing(claim, row)]
    backends = [name for name in rows.loc[rows["pairs"] > 0, "backend"] if name != ALL]
    finding = [_effect(claim, row, backends, _cases(row, suite)), _verdict(claim, row)]
    finding += [*_family(row), *_few(claim, row)]
    finding += [*_factor(row), *_pairing(row), *_lost(claim, row), *_diverged(claim, row)]
    finding.append(varied(suite))
    return finding


def varied(suite: Suite) -> str:
    """Say which streams the seeds drive."""
    streams = listed(list(suite.varied))
    if "split" in suite.varied:
        return f"What varies: each seed drives {streams}, so the training images differ too."
    return (
        f"What varies: each seed drives {streams}. The split into training, validation and test "
        "images is fixed, so the result says nothing about other splits."
    )


def _nothing(claim: Claim, row: Row) -> str:
    if not row["promised"]:
        return f"Not trained: these runs do not contain {listed(claim.compared())}."
    seeds = number_of(row["promised"], "promised seed")
    text = f"Of {seeds}, none has a score for {listed(claim.compared())}: there is nothing to judge"
    if not row["without_value"]:
        return f"{text}."
    return f"{text}; {_without_value(claim, row)}."


def _cases(row: Row, suite: Suite) -> str:
    """Return "and 3 cases" for a row that is an average over cases, else nothing."""
    return f" and {sum(map(bool, suite.cases()))} cases" if row["case"] == ALL else ""


def _effect(claim: Claim, row: Row, backends: list[str], cases: str) -> str:
    over = f"Over {number_of(row['pairs'], 'seed')}{cases}{_backends(backends)}"
    match claim:
        case Ratio():
            return _times_smaller(claim, row, over)
        case ProbabilityOfImprovement():
            return (
                f"{over}, {claim.treatment} was better than {claim.baseline} on "
                f"{claim_unit(claim).value(row['improvement'])} of the seeds, ties counted half"
                f"{_interval(row, claim_unit(claim))}."
            )
        case Ordering():
            return _ordered(claim, row, over)
        case ThresholdClaim():
            return _against_number(claim, row, over)
        case TimeToTarget():
            return _sooner(claim, row, over)
        case _:
            return _difference(claim, row, over)


def _difference(claim: Paired, row: Row, over: str) -> str:
    unit = metric_unit(claim.metric)
    raised = row["treatment_mean"] - row["baseline_mean"]
    verb = "raised" if raised > 0 else "lowered"
    if raised == 0:
        same = f"{over}, {claim.treatment} and {claim.baseline} have the same mean"
        return f"{same} {unit.metric}."
    interval = _interval(row, unit)
    return (
        f"{over}, {claim.treatment} {verb} {unit.metric} by {_amount(abs(raised), unit)} against "
        f"{claim.baseline}{interval}: {unit.value(row['treatment_mean'])} instead of "
        f"{unit.value(row['baseline_mean'])}."
    )


def _times_smaller(claim: Ratio, row: Row, over: str) -> str:
    unit, metric = claim_unit(claim), metric_unit(claim.metric)
    quantity = "loss" if claim.metric.endswith("loss") else "error"
    return (
        f"{over}, the mean {quantity} of {claim.baseline} was {unit.bare(row['improvement'])} "
        f"times that of {claim.treatment}{_interval(row, unit, turned=False)}; {metric.metric} "
        f"{metric.value(row['treatment_mean'])} instead of {metric.value(row['baseline_mean'])}."
    )


def _ordered(claim: Ordering, row: Row, over: str) -> str:
    unit = claim_unit(claim)
    text = (
        f"{over}, Kendall's tau with the claimed order ({', '.join(claim.recipes)}) is "
        f"{unit.bare(row['improvement'])} on average{_interval(row, unit, turned=False)}"
    )
    if math.isnan(row["full_order"]):
        return f"{text}."
    low, high = percent(row["full_order_low"]), percent(row["full_order_high"])
    return (
        f"{text}; {percent(row['full_order'])} of the seeds (95{SPACE}% interval {low} to {high}) "
        "have the whole order."
    )


def _against_number(claim: ThresholdClaim, row: Row, over: str) -> str:
    unit = metric_unit(claim.metric)
    side = "better" if row["improvement"] >= 0 else "worse"
    return (
        f"{over}, {unit.metric} of {claim.recipe} is {_amount(abs(row['improvement']), unit)} "
        f"{side} than {unit.value(claim.threshold)}{_interval(row, unit)}."
    )


def _sooner(claim: TimeToTarget, row: Row, over: str) -> str:
    unit = claim_unit(claim)
    text = (
        f"{over}, {claim.treatment} reached a validation accuracy of {percent(claim.target)} after "
        f"{unit.value(row['treatment_mean'])}, {claim.baseline} after "
        f"{unit.value(row['baseline_mean'])}{_interval(row, unit)}"
    )
    if math.isnan(row["never_treatment"]):
        return f"{text}."
    never = number_of(row["never_treatment"], "training")
    return (
        f"{text}. {never} of {claim.treatment} and {row['never_baseline']:,.0f} of "
        f"{claim.baseline} never did; they count as reaching it at the end of the shorter training."
    )


def _interval(row: Row, unit: Unit, *, turned: bool = True) -> str:
    """Return the interval in brackets, turned to the direction of the verb unless it has none."""
    low, high = row["low"], row["high"]
    if math.isnan(low):
        return " (one seed: no interval)"
    if turned and row["improvement"] < 0 and not isinstance(unit, ProbabilityUnit):
        low, high = -high, -low
    return f" (95{SPACE}% interval {unit.interval(low, high)})"


def _verdict(claim: Claim, row: Row) -> str:
    least = claim_unit(claim).points(row["least_effect"])
    equivalent = isinstance(claim, Equivalence)
    whole = f"The whole interval{_judged_by(claim, row)} lies"
    if row["verdict"] == "holds" and equivalent:
        return f"{whole} within ±{least}: no difference that counts."
    if row["verdict"] == "reversed" and equivalent:
        return f"{whole} beyond ±{least}: they do differ."
    if row["verdict"] == "holds":
        return f"{whole} above {least}, the least effect that counts."
    if row["verdict"] == "reversed":
        return f"{whole} on the other side of no effect: the opposite of the claim."
    if row["verdict"] == "negligible":
        return f"{whole} within ±{least}: too small an effect to count."
    return f"This settles nothing: {_undecided(claim, row, least)}."


def _judged_by(claim: Claim, row: Row) -> str:
    """Return the interval that the verdict rests on, if it is not the 95 % one."""
    if math.isnan(row["family_low"]) or math.isclose(row["level"], LEVEL):
        return ""
    unit = claim_unit(claim)
    interval = unit.interval(row["family_low"], row["family_high"])
    return f" of the verdict ({100 * row['level']:.4g}{SPACE}%: {interval})"


def _family(row: Row) -> Iterator[str]:
    if row["family"] > 1 and not math.isnan(row["family_low"]):
        yield (
            f"It is one of {row['family']:g} claims judged together; the interval is corrected for "
            "their number (Holm)."
        )


def _few(claim: Claim, row: Row) -> Iterator[str]:
    """Warn that the interval of few pairs is less certain; that of a share is exact."""
    if LEAST_PAIRS <= row["pairs"] < SURE_PAIRS and not isinstance(claim, ProbabilityOfImprovement):
        pairs = number_of(row["pairs"], "pair")
        yield (
            f"There are only {pairs}: with fewer than {SURE_PAIRS}, an interval of skewed values "
            "covers less than its nominal level, so the verdict is less certain than it looks."
        )


def _diverged(claim: Claim, row: Row) -> Iterator[str]:
    if not row["diverged"]:
        return
    text = f"In {number_of(row['diverged'], 'pair')} a training diverged, which counts as guessing"
    if not row["trained_pairs"] or math.isnan(row["trained_pairs"]):
        yield f"{text}. No pair is left without them."
        return
    unit = claim_unit(claim)
    yield (
        f"{text}. Without them the improvement is {unit.gain(row['trained_improvement'])} "
        f"({unit.interval(row['trained_low'], row['trained_high'])})."
    )


def _undecided(claim: Claim, row: Row, least: str) -> str:
    if row["pairs"] < LEAST_PAIRS:
        return f"fewer than {LEAST_PAIRS} pairs are no basis for a verdict"
    bounds = f"±{least}" if isinstance(claim, Equivalence) else f"0 or {least}"
    seeds = row["seeds_to_settle"]
    why = f"the interval{_judged_by(claim, row)} crosses {bounds}, the least effect that counts"
    if math.isnan(seeds):
        return why
    if math.isinf(seeds):
        return f"{why}, and the mean lies on the bound itself"
    return f"{why}; about {seeds:,.0f} seeds would settle it if mean and spread stayed the same"


def _factor(row: Row) -> Iterator[str]:
    if math.isnan(row["factor_median"]):
        return
    median = number(row["factor_median"], 2)
    text = f"In the median pair of trainings the baseline made {median} times the treatment's error"
    if not math.isnan(row["factor"]):
        text = f"The claimed factor is not part of the verdict. {text}"
        low, high = percent(row["factor_reached_low"]), percent(row["factor_reached_high"])
        text += (
            f"; {percent(row['factor_reached'])} of the pairs (95{SPACE}% interval {low} to "
            f"{high}) reached the claimed factor of {row['factor']:g}"
        )
    yield f"{text}."
    if row["zero_errors"]:
        yield (
            f"{number_of(row['zero_errors'], 'training')} made no error at all while the baseline "
            "made some: their factor counts as infinite."
        )


def _pairing(row: Row) -> Iterator[str]:
    correlation, left = row["correlation"], row["variance_ratio"]
    if math.isnan(correlation) or math.isnan(left) or left <= 0:
        return
    yield (
        f"Results of the same seed have a correlation of {number(correlation, 2)}: pairing by seed "
        f"leaves {percent(left)} of the variance of an unpaired comparison, which is worth "
        f"{number(1 / left, 2)} times as many seeds."
    )


def _lost(claim: Claim, row: Row) -> Iterator[str]:
    if not row["lost"]:
        return
    text = (
        f"{row['lost']:,.0f} of {number_of(row['promised'], 'promised pair')} could not be used on "
        "any backend"
    )
    if not row["without_value"]:
        yield f"{text}, because a row is not ok."
    elif row["without_value"] == row["lost"]:
        yield f"{text}: {_without_value(claim, row)}."
    else:
        rest = row["lost"] - row["without_value"]
        yield f"{text}: {_without_value(claim, row)}; of {rest:,.0f} a row is not ok."


def _without_value(claim: Claim, row: Row) -> str:
    """Say how many pairs were trained, and yet lack the value that the claim is about."""
    return f"{row['without_value']:,.0f} were trained but are without {value_of(claim)}"


def _backends(backends: list[str]) -> str:
    names = [backend_name(backend) for backend in backends]
    return f" in {names[0]}" if len(names) == 1 else f", averaged over {listed(names)}"


def _amount(value: float, unit: Unit) -> str:
    text = number(value * unit.factor, unit.digits)
    return text.replace(MINUS, "") + unit.difference
