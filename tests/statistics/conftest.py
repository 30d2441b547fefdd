"""Records without a ledger, for the statistics' tests."""

import pandas as pd
import pytest

from manyseeds.ledger.schemas import RECORD_SCHEMA
from manyseeds.suite.reader import parse_suite

SUITE = """
name = "s"
title = "S"
description = "D"
seeds = 4
lanes = 4
varied = ["init", "order"]
pairs = PAIRS
[tasks.t]
dataset = "fashion-mnist"
classes = "pair"
[networks.n]
hidden = [10]
activation = "relu"
after = [{ name = "dropout", rate = 0.1 }]
initialiser = "he_normal"
output = { units = 1, activation = "logistic" }
[phases.p]
task = "t"
network = "n"
epochs = 1
rate = 1e-3
diagnostics = true
[[recipes]]
name = "old"
phases = ["p"]
monte_carlo = "mc_dropout"
[[recipes]]
name = "new"
phases = [{ use = "p", rate = 2e-3 }]
monte_carlo = "mc_dropout"
[[claims]]
name = "better"
sentence = "New is better."
treatment = "new"
baseline = "old"
METRIC
least_effect = 0.01
factor = 2
references = [
    { label = "book", baseline = 0.9, treatment = 0.95 },
    { label = "printed", factor = 3 },
]
[variance]
recipes = ["old"]
streams = ["init", "order"]
seeds = 3
"""


@pytest.fixture
def suite():
    """Return a function that makes the suite, of one case or of several."""

    def make(pairs="[[5, 6]]", metric="test_accuracy", more=""):
        text = SUITE.replace("PAIRS", pairs).replace("METRIC", f'metric = "{metric}"') + more
        return parse_suite(text, "s.toml")

    return make


@pytest.fixture
def records():
    """Return a function that makes records of lists of scores; a text is a status instead."""

    def make(cells, mode="cohort", vary="init+order", metric="test_accuracy"):
        rows = []
        for (recipe, case, backend), scores in cells.items():
            for seed, score in enumerate(scores):
                key = {"suite": "s", "recipe": recipe, "case": case, "backend": backend}
                key |= {"mode": mode, "vary": vary, "seed": seed, "lanes": len(scores)}
                ok = not isinstance(score, str)
                row = {"status": "ok" if ok else score}
                rows.append(key | row | ({metric: score} if ok else {}))
        return pd.DataFrame(rows, columns=RECORD_SCHEMA.names).astype({metric: float})

    return make


@pytest.fixture
def pooled():
    """Return a function that picks the row over all backends."""

    def pick(table, **where):
        for column, value in ({"backend": "all"} | where).items():
            table = table[table[column] == value]
        assert len(table) == 1
        return table.iloc[0]

    return pick
