"""Plans the number of seeds from the spread of an earlier run, or from one given by --sd."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from pathlib import Path

from manyseeds.errors import RequestError
from manyseeds.ledger.runs import ledgers
from manyseeds.presentation.command_result import Outcome
from manyseeds.statistics import claims_table
from manyseeds.statistics.pairs import ALL
from manyseeds.statistics.seed_planning import COLUMNS, detection_table, planned_for
from manyseeds.suite.files import read_suite
from manyseeds.suite.suite import Suite


def plan_seeds(
    name: str,
    detect: float,
    *,
    quick: bool = False,
    sd: float | None = None,
    power: float = 0.8,
    results: Path = Path("results"),
) -> Outcome:
    """Return how many seeds a suite's claims need to detect an effect.

    Parameters
    ----------
    name, quick
        The suite, and whether in its quick form.
    detect
        The improvement to detect, in the metric's unit (accuracies are shares).
    sd
        Standard deviation over seeds of a paired improvement; None takes that of the latest run of
        this suite and form in `results`.
    power
        The probability of detecting it.
    results
        Folder of the runs.
    """
    if not 0 < detect < math.inf:
        raise RequestError(f"--detect {detect:g}: expected a finite number above 0")
    if not 0 < power < 1:
        raise RequestError(f"--power {power:g}: expected more than 0 and less than 1")
    if sd is not None and not 0 < sd < math.inf:
        raise RequestError(f"--sd {sd:g}: expected a finite number above 0")
    suite = read_suite(name, quick=quick).suite
    claims = [claim.name for claim in suite.claims if planned_for(claim)]
    if not claims:
        raise RequestError(f"suite {suite.name!r} claims no difference: there is none to detect")
    if sd is None:
        spreads, origin = _observed(name, suite, quick, results)
    else:
        spreads, origin = dict.fromkeys(claims, sd), "given by --sd"
    table = detection_table(suite, spreads, detect, power)
    rows = tuple(
        tuple(_plain(value) for value in row) for row in table.itertuples(index=False, name=None)
    )
    notes = (
        f"spread over seeds: {origin}",
        f"for a power of {power:g} at an effect of {detect:g}, corrected for {len(suite.claims)} "
        "claims; no number: the effect is not beyond the least effect, or the spread is unknown",
    )
    return Outcome("Seeds needed", tuple(COLUMNS), rows, 0, notes)


def _observed(
    name: str, suite: Suite, quick: bool, results: Path
) -> tuple[Mapping[str, float], str]:
    """Return the spread of each claim in the latest run of a suite, and that run's name.

    `name` is the name or the file by which the suite was asked for.
    """
    runs = [
        run for run in ledgers(results) if (run.plan.suite, run.plan.quick) == (suite.name, quick)
    ]
    if not runs:
        form = ["--quick"] if quick else []
        words = ["run", name, *form, "--seeds", "10", "--results", str(results)]
        raise RequestError(
            f"{' '.join([f'{results} holds no run of {suite.name!r}', *form])} to take the spread "
            f"from: give --sd, or train a few seeds first: {shlex.join(['manyseeds', *words])}"
        )
    latest = runs[-1]
    table = claims_table(latest.records(), latest.suite, curves=latest.curves())
    pooled = table[table["backend"] == ALL].drop_duplicates("claim", keep="last")
    spreads = {str(n): float(sd) for n, sd in zip(pooled["claim"], pooled["sd"], strict=True)}
    return spreads, f"{latest.folder.name}, all backends by seed"


_LARGEST_COUNT = 1e15


def _plain(value: object) -> object:
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and 1 <= value < _LARGEST_COUNT else value
