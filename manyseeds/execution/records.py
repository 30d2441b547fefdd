"""Makes the ledger's rows from the outcome of a job."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from manyseeds.backend.values import Floats
from manyseeds.execution.state import Seconds, State, diverged_from
from manyseeds.ledger.plan import Job
from manyseeds.ledger.schemas import METRICS
from manyseeds.randomness.lanes import Lanes, seeds_of
from manyseeds.suite.suite import Suite

Row = dict[str, Any]


def record_rows(
    suite: Suite,
    job: Job,
    facts: Mapping[str, Any],
    lanes: Lanes,
    state: State,
    shared: Seconds,
    scores: Mapping[str, Floats],
) -> list[Row]:
    """Return a job's records, one for each lane.

    Parameters
    ----------
    facts
        Columns that all lanes have in common.
    lanes, state
        The seeds of the lanes, and their state after the last phase.
    shared
        Seconds of the phases that were trained before this job.
    scores
        Metrics after training, [lanes] each.
    """
    own = {
        "seconds_train": state.seconds.train - shared.train,
        "seconds_evaluate": state.seconds.evaluate - shared.evaluate,
        "seconds_shared": shared.train + shared.evaluate,
        "epochs": len(state.curves),
    }
    rows = []
    for lane in range(len(lanes)):
        metrics = _last_curves(state, lane) | {
            n: float(values[lane]) for n, values in scores.items()
        }
        diverged = state.diverged[lane] or _not_finite(metrics)
        rows.append(
            _identity(suite, job, lanes, lane)
            | dict(facts)
            | own
            | {"best_epoch": int(state.best_epoch[lane])}
            | {"status": "diverged" if diverged else "ok"}
            | {"reason": diverged or _restored(state, lane)}
            | {name: _or_none(metrics.get(name)) for name in METRICS}
        )
    return rows


def unfinished_rows(suite: Suite, job: Job, attempt: int, status: str, reason: str) -> list[Row]:
    """Return the records of a job that failed or timed out, with the reason."""
    lanes = seeds_of(job.seeds, job.varied)
    return [
        _identity(suite, job, lanes, lane)
        | {"attempt": attempt, "status": status, "reason": reason}
        | {"recipe_sha256": suite.recipe(job.recipe, job.case).fingerprint()}
        for lane in range(len(lanes))
    ]


def curve_rows(job: Job, attempt: int, state: State) -> list[Row]:
    """Return a job's curves, a row per lane and epoch, up to where a lane stopped."""
    rows = []
    for curve in state.curves:
        for lane, seed in enumerate(job.seeds):
            values = {name: _or_none(float(v[lane])) for name, v in curve.values.items()}
            if values["rate"] is None:
                continue
            rows.append(
                {
                    **_training(job, seed, attempt),
                    "phase": curve.phase,
                    "epoch": curve.epoch,
                    **values,
                }
            )
    return rows


def diagnostics_rows(job: Job, attempt: int, diagnoses: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return a job's diagnostics, a row per lane and diagnosis, from `diagnosis_messages`."""
    return [
        {
            **_training(job, seed, attempt),
            **{key: value for key, value in diagnosis.items() if key != "values"},
            "value": value,
        }
        for diagnosis in diagnoses
        for seed, value in zip(job.seeds, diagnosis["values"], strict=True)
    ]


def diagnosis_messages(state: State) -> list[dict[str, Any]]:
    """Return the diagnoses as JSON for the runner; values that are not finite become None."""
    return [
        asdict(diagnosis) | {"values": [_or_none(float(value)) for value in diagnosis.values]}
        for diagnosis in state.diagnoses
    ]


def _training(job: Job, seed: int, attempt: int) -> Row:
    """Return the columns that identify a training in curves and diagnostics."""
    return {
        "recipe": job.recipe,
        "case": job.case,
        "backend": job.backend,
        "mode": job.mode,
        "vary": job.vary,
        "seed": seed,
        "job": job.id,
        "attempt": attempt,
    }


def _identity(suite: Suite, job: Job, lanes: Lanes, lane: int) -> Row:
    seeds = {f"seed_{name}": value for name, value in lanes.seeds[lane].as_dict().items()}
    return {
        "suite": suite.name,
        "recipe": job.recipe,
        "case": job.case,
        "backend": job.backend,
        "mode": job.mode,
        "vary": job.vary,
        "seed": job.seeds[lane],
        "job": job.id,
        "lanes": len(job.seeds),
        **seeds,
    }


def _last_curves(state: State, lane: int) -> dict[str, float]:
    """Return the curves' values at the lane's best epoch."""
    epoch = int(state.best_epoch[lane])
    if not 1 <= epoch <= len(state.curves):
        return {}
    values = state.curves[epoch - 1].values
    return {
        name: float(values[name][lane])
        for name in ("train_loss", "train_penalty", "valid_loss", "valid_accuracy")
    }


def _restored(state: State, lane: int) -> str:
    """Return where the loss of a lane stopped being finite that is ok all the same; "" if nowhere.

    Early stopping has brought back the weights of its best epoch, as Keras does.
    """
    for curve in state.curves:
        values = {name: float(value[lane]) for name, value in curve.values.items()}
        losses = (values["train_loss"], values["train_penalty"], values["valid_loss"])
        if math.isfinite(values["rate"]) and not all(map(math.isfinite, losses)):
            return f"{diverged_from(curve.phase, curve.epoch)}: its best weights were restored"
    return ""


def _not_finite(metrics: Mapping[str, float]) -> str:
    bad = [name for name in ("test_loss", "test_accuracy") if not _finite(metrics.get(name))]
    bad = [name for name in bad if name in metrics]
    return f"{' and '.join(bad)} not finite" if bad else ""


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _or_none(value: float | None) -> float | None:
    return value if _finite(value) else None
