"""Variance by stream, and the variance left between backends."""

import numpy as np
import pandas as pd
import pytest

from manyseeds.statistics import variance_table


def cells(scores, backend="jax"):
    return {("old", "5-6", backend): scores}


def test_each_stream_has_the_spread_of_its_own_rows(suite, records):
    rng = np.random.default_rng(0)
    scores = {vary: list(rng.normal(0.9, sd, 12)) for vary, sd in STREAMS.items()}
    table = variance_table(
        pd.concat([records(cells(s), vary=vary) for vary, s in scores.items()]), suite()
    ).set_index("stream")
    for vary, name in (("init", "init"), ("order", "order"), ("init+order", "together")):
        assert table.loc[name, "sd"] == pytest.approx(np.std(scores[vary], ddof=1))
        assert table.loc[name, "low"] < table.loc[name, "sd"] < table.loc[name, "high"]
    assert table.index.tolist() == ["init", "order", "together"]


STREAMS = {"init+order": 0.01, "init": 0.008, "order": 0.004}


def test_the_spread_between_backends_excludes_the_part_that_seeds_share(suite, records):
    rng = np.random.default_rng(2)
    seeds = rng.normal(0.9, 0.02, 400)
    parts = {}
    for backend in ("pytorch", "tensorflow", "jax"):
        parts |= cells(list(seeds + rng.normal(0, 0.001, 400)), backend)
    table = variance_table(records(parts), suite())
    left = table[table["stream"] == "between backends"].iloc[0]
    assert left["sd"] == pytest.approx(0.001, rel=0.1)
    assert 0.0009 < left["low"] < 0.001 < left["high"] < 0.0011
    assert left["ok"] == 400


def test_identical_backends_leave_nothing(suite, records):
    scores = [0.9, 0.91, 0.95]
    table = variance_table(records(cells(scores, "jax") | cells(scores, "pytorch")), suite())
    left = table[table["stream"] == "between backends"].iloc[0]
    assert (left["sd"], left["low"], left["high"]) == (0, 0, 0)


def test_one_backend_has_nothing_between(suite, records):
    table = variance_table(records(cells([0.9, 0.91])), suite())
    assert table["stream"].tolist() == ["together"]


def test_rows_that_are_not_ok_are_counted(suite, records):
    table = variance_table(records(cells([0.9, 0.91, "failed"]), vary="init"), suite())
    assert table.iloc[0][["promised", "ok"]].tolist() == [3, 2]


def test_without_rows_the_table_is_empty(suite, records):
    assert variance_table(records({}), suite()).empty
