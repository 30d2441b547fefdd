"""What a run cost: the seconds that its jobs computed for."""

from __future__ import annotations

import pandas as pd

_OWN = ["seconds_train", "seconds_evaluate", "seconds_compile"]


def computing_seconds(records: pd.DataFrame) -> float:
    """Return the seconds of training, evaluating and compiling, summed over all jobs.

    A record has the seconds of its whole job, so that each job counts once; phases that several
    recipes share are part of the job that trained them, and count once too. Loading data, and
    jobs that failed or timed out, are not in it. Backends that trained at once count one after
    the other. NaN where no job has seconds.
    """
    keys = [name for name in ("run", "job") if name in records]
    jobs = records.dropna(subset=["seconds_train"]).drop_duplicates(keys)
    total = jobs[_OWN].sum(axis="columns").sum(min_count=1)
    return float(total)
