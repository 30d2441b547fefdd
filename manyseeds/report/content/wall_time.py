"""Wall time: the seconds that the jobs of a run computed for."""

from __future__ import annotations

import pandas as pd

_OWN = ["seconds_train", "seconds_evaluate", "seconds_compile"]


def computing_seconds(records: pd.DataFrame) -> float:
    """Return the seconds of training, evaluating and compiling, summed over all jobs.

    A record holds the seconds of its whole job, so each job counts once. Phases that several
    recipes share belong to the job that trained them, and count once too. Loading data is not
    included, nor are jobs that failed or timed out. Backends that trained at the same time are
    added up. NaN where no job has seconds, or where a job lacks a part of them.
    """
    keys = [name for name in ("run", "job") if name in records]
    jobs = records.dropna(subset=["seconds_train"]).drop_duplicates(keys)
    total = jobs[_OWN].sum(axis="columns", skipna=False).sum(skipna=False, min_count=1)
    return float(total)
