"""The columns of the ledger's tables: records, curves and diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa

from manyseeds.ledger.plan import RowKey

_TEXT = ("suite", "recipe", "case", "backend", "mode", "vary", "recipe_sha256", "device")

_SEEDS = ("seed", "seed_init", "seed_order", "seed_dropout", "seed_augment", "seed_split")

_COUNTS = (
    "job",
    "attempt",
    "session",
    "lanes",
    "epochs",
    "best_epoch",
    "compilations",
    "peak_memory_bytes",
)

METRICS = (
    *("train_loss", "train_penalty", "fitted_loss", "fitted_accuracy"),
    *("valid_loss", "valid_accuracy"),
    *("test_loss", "test_accuracy", "test_brier", "test_ece"),
    *("mc_loss", "mc_accuracy", "mc_brier", "mc_ece"),
    *("source_accuracy_before", "source_accuracy_after", "zero_share", "dead_share"),
    "normality_error",
)

SECONDS = ("seconds_train", "seconds_evaluate", "seconds_compile", "seconds_shared")

RECORD_SCHEMA = pa.schema(
    [pa.field(name, pa.string()) for name in _TEXT]
    + [pa.field(name, pa.int64()) for name in _SEEDS + _COUNTS]
    + [pa.field("status", pa.string()), pa.field("reason", pa.string())]
    + [pa.field(name, pa.float64()) for name in METRICS + SECONDS]
)
"""Columns of a record.

`job` and `lanes` identify the cohort in which a row was trained; `session` is the number, from 1,
of the entry in the provenance under whose versions it was trained, and null in runs that are older
than this column. Accuracies are shares in [0, 1].

Seconds are those of the whole cohort (divide by `lanes` for the share of one seed):
`seconds_train` and `seconds_evaluate` of the phases trained in this job, `seconds_compile` of
tracing and compiling, `seconds_shared` of phases that were trained once for several recipes, and
which every row that builds on them repeats.

`train_loss` is the mean over the steps of the last epoch, without `train_penalty`. `fitted_*` are
scores on the whole training split after training, without dropout. `*_brier` and `*_ece` are
calibration errors (`execution.calibration`), `mc_*` the scores of Monte Carlo dropout with the same
weights. `source_accuracy_*` is the previous network's test accuracy on its own task, before and
after a phase that shares its layers. `zero_share` is the share of kernel weights that are 0.

Recipes with diagnostics also have, after the last epoch, `dead_share`, the share of hidden units
that are dead, and `normality_error`, the largest |mean| or |sd - 1| of the outputs of a hidden
layer, in training mode if the network has dropout.
"""

CURVE_SCHEMA = pa.schema(
    [pa.field(name, pa.string()) for name in ("recipe", "case", "backend", "mode", "vary")]
    + [pa.field("seed", pa.int64()), pa.field("job", pa.int64()), pa.field("attempt", pa.int64())]
    + [pa.field("phase", pa.string()), pa.field("epoch", pa.int64())]
    + [
        pa.field(name, pa.float64())
        for name in ("rate", "train_loss", "train_penalty", "valid_loss", "valid_accuracy")
    ]
)
"""Columns of a curve: `epoch` counts from 1 over all phases; `rate` is that of its last step."""

DIAGNOSTICS_SCHEMA = pa.schema(
    [pa.field(name, pa.string()) for name in ("recipe", "case", "backend", "mode", "vary")]
    + [pa.field("seed", pa.int64()), pa.field("job", pa.int64()), pa.field("attempt", pa.int64())]
    + [pa.field("phase", pa.string()), pa.field("epoch", pa.int64()), pa.field("step", pa.int64())]
    + [pa.field("layer", pa.string()), pa.field("quantity", pa.string())]
    + [pa.field("value", pa.float64())]
)
"""Columns of diagnostics: see `manyseeds.execution.diagnostics.Diagnosis`."""

ROW_KEY = list(RowKey._fields)

KEYS = tuple(name for name in ROW_KEY if name != "seed")
"""The columns in which all rows of a job are the same."""

_LEAST_SECONDS = -1.0  # a difference of two clocks, of which one is the framework's
_LEAST_LOSS = -1e-3  # a cross-entropy of 0, rounded
_MOST_SHARE = 1 + 1e-6
_INFINITY = float("inf")

RANGES: Mapping[str, tuple[float, float]] = (
    dict.fromkeys(_SEEDS, (0, _INFINITY))
    | dict.fromkeys(
        ("job", "epochs", "best_epoch", "compilations", "peak_memory_bytes"), (0, _INFINITY)
    )
    | dict.fromkeys(("attempt", "lanes"), (1, _INFINITY))
    | dict.fromkeys(("epoch", "step", "rate"), (0, _INFINITY))
    | {name: (0, _MOST_SHARE) for name in METRICS if name.endswith(("accuracy", "_ece", "_share"))}
    | dict.fromkeys(("source_accuracy_before", "source_accuracy_after"), (0, _MOST_SHARE))
    | {name: (0, 2 * _MOST_SHARE) for name in METRICS if name.endswith("_brier")}
    | {name: (_LEAST_LOSS, _INFINITY) for name in METRICS if name.endswith("_loss")}
    | dict.fromkeys(("train_penalty", "normality_error"), (0, _INFINITY))
    | dict.fromkeys(SECONDS, (_LEAST_SECONDS, _INFINITY))
)
"""The least and the largest value of a column; no number in a ledger is NaN or infinite."""

Rows = Sequence[Mapping[str, Any]]

Kind = Literal["records", "curves", "diagnostics"]
"""The kinds of table in a ledger."""

SCHEMAS: Mapping[Kind, pa.Schema] = {
    "records": RECORD_SCHEMA,
    "curves": CURVE_SCHEMA,
    "diagnostics": DIAGNOSTICS_SCHEMA,
}
