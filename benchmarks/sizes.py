"""The sizes of the benchmarks: whole, for the numbers; smallest, for tests that they run."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import variants

PREDICTIONS = {
    "relu": ("plain", "plain"),
    "elu": ("elu", "plain"),
    "selu": ("selu", "plain"),
    "batch_norm": ("batch_norm before", "plain"),
    "batch_norm, folded": ("batch_norm before", "folded"),
    "dropout, one sample": ("dropout", "1"),
    "dropout, 10 samples": ("dropout", "10"),
    "dropout, 100 samples": ("dropout", "100"),
}
"""By name: the network's variant, and "plain", "folded" or a number of Monte Carlo samples."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of all benchmarks; the defaults are the whole ones.

    Attributes
    ----------
    share_processes
        Subjects of one library share a process, so that it starts once; times mean little then.
    form
        The form of the transfer suite: "" is the full protocol on Fashion-MNIST, "-quick" its quick
        form on the embedded data.
    scratch_rounds, pretraining_rounds, solo_rounds, step_rounds, help_rounds, interval_rounds
        Number of times that each is measured; the median counts.
    scratch_lanes, scratch_epochs
        Lanes and epochs of a cohort trained from scratch.
    pretraining_lanes
        Lanes of a cohort that trains one epoch of task A.
    solo_epochs
        Epochs of one lane trained alone.
    memory_lanes
        Three sizes of cohort whose peak memory is compared.
    step_lanes, steps
        Lanes and number of the steps with one technique more.
    variants, predictions
        Names in `variants.VARIANTS` and `PREDICTIONS`.
    prediction_count
        Number of predictions in one measurement.
    product_seconds
        The time for which each matrix product of the floor is repeated in each library.
    seeds, columns
        Rows and columns of a table of paired values whose intervals are bootstrapped.
    scipy_columns
        Number of columns that SciPy bootstraps; its time for all columns is extrapolated.
    records
        Number of records of a suite whose tables are made.
    """

    share_processes: bool = False
    form: str = ""
    scratch_rounds: int = 3
    pretraining_rounds: int = 2
    solo_rounds: int = 5
    step_rounds: int = 3
    help_rounds: int = 5
    interval_rounds: int = 3
    scratch_lanes: int = 64
    scratch_epochs: int = 20
    pretraining_lanes: int = 16
    solo_epochs: int = 20
    memory_lanes: tuple[int, int, int] = (16, 64, 128)
    step_lanes: int = 64
    steps: int = 20
    variants: tuple[str, ...] = variants.VARIANTS
    predictions: tuple[str, ...] = tuple(PREDICTIONS)
    prediction_count: int = 3
    product_seconds: float = 0.2
    seeds: int = 1_000
    columns: int = 20
    scipy_columns: int = 2
    records: int = 1_000_000


WHOLE = Sizes()

SMALLEST = Sizes(
    share_processes=True,
    form="-quick",
    scratch_rounds=1,
    pretraining_rounds=1,
    solo_rounds=1,
    step_rounds=1,
    help_rounds=1,
    interval_rounds=1,
    scratch_lanes=2,
    scratch_epochs=1,
    pretraining_lanes=2,
    solo_epochs=1,
    memory_lanes=(1, 2, 3),
    step_lanes=2,
    steps=1,
    variants=("dropout", "adam"),
    predictions=("relu", "batch_norm, folded", "dropout, one sample"),
    prediction_count=1,
    product_seconds=0.0,
    seeds=20,
    columns=2,
    scipy_columns=1,
    records=1_000,
)
