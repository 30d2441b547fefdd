"""Scores through the real command: folded, sampled, diagnosed, on digits and on normals."""

import numpy as np
import pytest

from manyseeds.ledger.runs import ledgers
from manyseeds.ledger.schemas import METRICS

SUITE = """
name = "scored"
title = "What is scored"
description = "Small networks on the digits and on normals."
seeds = 2
lanes = 2

[tasks.digits]
dataset = "digits"
valid = 200
train = 96

[tasks.normals]
dataset = "gaussian"
valid = 500
scaling = "raw"

[networks.normed]
hidden = [12, 8]
activation = "relu"
first = ["batch_norm"]
after = ["batch_norm"]
output = { units = 10, activation = "softmax" }

[networks.dropped]
hidden = [12]
activation = "relu"
after = [{ name = "dropout", rate = 0.5 }]
output = { units = 10, activation = "softmax" }

[networks.deep]
hidden = [[100, 5]]
activation = "selu"
initialiser = { name = "standard_normal", sd = 0.1 }
output = { units = 1, activation = "logistic" }

[phases.train]
task = "digits"
network = "normed"
epochs = 2
rate = 0.05

[[recipes]]
name = "plain"
phases = ["train"]

[[recipes]]
name = "folded"
fold = true
phases = ["train"]

[[recipes]]
name = "sampled"
monte_carlo = { name = "mc_dropout", samples = 7 }
phases = [{ use = "train", network = "dropped" }]

[[recipes]]
name = "pruned"
phases = [
    { use = "train", network = "dropped", pruning = { name = "magnitude_pruning", share = 0.25 } },
]

[[recipes]]
name = "untrained"
phases = [{ use = "train", task = "normals", network = "deep", epochs = 0, diagnostics = true }]

[[recipes]]
name = "range"
expect_divergence = true
phases = [
    { use = "train", rate = 1e-4, epochs = 1, schedule = { name = "range_test", highest = 10.0 } },
]
"""


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    """Run the suite once, in a process of its own, and return its ledger and exit status."""
    import os
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("scored")
    (folder / "scored.toml").write_text(SUITE, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "manyseeds.cli.main", "run", "scored.toml"),
            *("--backend", "numpy", "--results", "results"),
        ],
        cwd=folder,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (ledger,) = ledgers(folder / "results")
    return ledger


@pytest.fixture(scope="module")
def records(delivered):
    return delivered.records().set_index(["recipe", "seed"]).sort_index()


def metric(records, recipe, name):
    return records.loc[recipe, name].to_numpy(float)


def test_every_promised_row_is_delivered(records):
    assert set(records["status"]) == {"ok"}
    assert len(records) == 6 * 2


def test_a_folded_network_scores_the_same(records):
    for name in ("test_loss", "test_brier", "test_ece", "fitted_loss", "train_loss"):
        plain, folded = (metric(records, recipe, name) for recipe in ("plain", "folded"))
        np.testing.assert_allclose(folded, plain, rtol=1e-4)  # float32
    plain, folded = (metric(records, recipe, "test_accuracy") for recipe in ("plain", "folded"))
    assert np.abs(folded - plain).max() <= 1 / 360  # at most one of 360 on the edge


def test_samples_are_scored_beside_the_plain_prediction(records):
    for name in ("loss", "accuracy", "brier", "ece"):
        plain, sampled = (metric(records, "sampled", f"{kind}_{name}") for kind in ("test", "mc"))
        assert np.isfinite(sampled).all()
        assert name == "accuracy" or (sampled != plain).all()
        assert np.isnan(metric(records, "plain", f"mc_{name}")).all()


def test_the_trained_rows_fit_at_least_as_the_last_epoch_says(records):
    assert np.isfinite(metric(records, "plain", "fitted_accuracy")).all()
    # Nothing is dropped when the fit is measured.
    fitted, dropped = (metric(records, "sampled", f"{name}_loss") for name in ("fitted", "train"))
    assert (fitted < dropped).all()


def test_pruning_shows_in_the_share_of_zeros(records):
    weights = 64 * 12 + 12 * 10
    expected = (round(64 * 12 / 4) + round(12 * 10 / 4)) / weights
    assert metric(records, "pruned", "zero_share") == pytest.approx([expected] * 2)
    assert metric(records, "sampled", "zero_share").tolist() == [0, 0]


def test_an_untrained_network_is_diagnosed_and_scored(delivered, records):
    rows = delivered.diagnostics().query("recipe == 'untrained'")
    assert set(rows["epoch"]) == {0}
    assert set(rows["seed"]) == {0, 1}
    assert rows["step"].isna().all()
    layers = [f"hidden{n}" for n in range(1, 6)]
    sds = rows.query("quantity == 'output_sd'").pivot(index="layer", columns="seed", values="value")
    # selu, N(0, 1 / 100): every layer stays near mean 0 and standard deviation 1.
    assert sds.loc[layers].to_numpy(float) == pytest.approx(np.ones((5, 2)), abs=0.2)
    assert metric(records, "untrained", "test_accuracy") == pytest.approx([0.5, 0.5], abs=0.1)
    assert records.loc["untrained", "epochs"].tolist() == [0, 0]


def test_normality_error_is_that_of_the_farthest_hidden_layer(delivered, records):
    rows = delivered.diagnostics().query("recipe == 'untrained' and layer != 'output'")
    rows = rows[rows["layer"].str.startswith("hidden")]
    for seed in (0, 1):
        own = rows[rows["seed"] == seed].set_index("quantity")["value"].astype(float)
        far = max(own.loc["output_mean"].abs().max(), (own.loc["output_sd"] - 1).abs().max())
        assert metric(records, "untrained", "normality_error")[seed] == pytest.approx(far)
    assert np.isnan(metric(records, "plain", "normality_error")).all()  # nothing was diagnosed


def test_a_range_test_leaves_its_steps_in_the_ledger(delivered):
    rows = delivered.diagnostics().query("recipe == 'range' and seed == 1")
    assert set(rows["quantity"]) == {"loss", "rate"}
    rates = rows.query("quantity == 'rate'").sort_values("step")
    assert rates["step"].tolist() == [0, 1, 2]
    assert rates["value"].to_numpy(float) == pytest.approx(1e-4 * 1e5 ** (np.arange(3) / 3))


def test_every_metric_of_the_ledger_is_known(records):
    assert set(METRICS) <= set(records.columns)
