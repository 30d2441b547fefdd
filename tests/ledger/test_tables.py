"""The tables of a run: what cannot be true is an error with file, row and column."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from manyseeds.errors import Notice, RunError
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.packing import pack
from manyseeds.ledger.schemas import SCHEMAS
from manyseeds.model import digest_text
from tests.ledger.small_run import append, plan
from tests.report import synthetic


@pytest.fixture
def run(tmp_path):
    """A run of two jobs of two lanes, both delivered."""
    run = Ledger.create(tmp_path, plan())
    append(run, 0)
    append(run, 1)
    return run


def rewritten(run, kind, change, name="00001-01.parquet"):
    """Change the rows of a file, as a script of somebody's would, and return the file."""
    path = run.folder / kind / name
    rows = change(pq.read_table(path).to_pylist())
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMAS[kind]), path)
    return path


def with_value(column, value, row=1):
    def change(rows):
        return [r | {column: value} if n == row else r for n, r in enumerate(rows)]

    return change


IMPOSSIBLE = [
    ("test_accuracy", 5.0, "5.0: expected 0 to 1"),
    ("test_accuracy", -0.1, "-0.1: expected 0 to 1"),
    ("test_accuracy", float("nan"), "nan: expected a finite number"),
    ("test_loss", float("inf"), "inf: expected a finite number"),
    ("test_loss", None, "nothing: a row that is ok has one"),
    ("test_loss", -2.0, "-2.0: expected at least -0.001"),
    ("test_brier", 2.5, "2.5: expected 0 to 2"),
    ("seconds_train", -5.0, "-5.0: expected at least -1"),
    ("epochs", -1, "-1: expected at least 0"),
    ("best_epoch", 3, "3: more than the epochs of the training"),
    ("status", "fine", "'fine': expected ok, diverged, failed, timed_out"),
    ("status", None, "nothing: expected a value"),
    ("status", "failed", "reason: nothing: expected why the row is not ok"),
    ("status", "diverged", "reason: nothing: expected why the row is not ok"),
    ("seed", 7, "7, where the plan has 3"),
    ("seed", None, "nothing: expected a value"),
    ("recipe", "other", "'other', where the plan has 'scratch'"),
    ("backend", "jax", "'jax', where the plan has 'numpy'"),
    ("mode", "solo", "'solo', where the plan has 'cohort'"),
    ("vary", "order", "'order', where the plan has 'init'"),
    ("suite", "other", "'other', where the plan has 'tiny'"),
    ("lanes", 3, "3, where the plan has 2"),
    ("job", 0, "0, where the file's name says 1"),
    ("attempt", 2, "2, where the file's name says 1"),
    ("seed_init", 1, "1: not the seed that the plan gives it"),
    ("seed_order", 1, "1: not the seed that the plan gives it"),
    ("recipe_sha256", "cd" * 32, f"{32 * 'cd'!r}: other rows of this recipe have another hash"),
]


@pytest.mark.parametrize(("column", "value", "problem"), IMPOSSIBLE)
def test_a_value_that_cannot_be_true_is_named_by_file_row_and_column(run, column, value, problem):
    path = rewritten(run, "records", with_value(column, value))
    with pytest.raises(RunError) as refused:
        run.records()
    message = str(refused.value)
    assert message.startswith(f"{path} is damaged")
    named = problem if problem.startswith("reason: ") else f"{column}: {problem}"
    assert f"row 2, {named}" in message
    assert f"--resume tiny-1 --results {run.folder.parent}" in message


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: [*rows, rows[0]], "3 rows, where the plan promises 2 at most"),
        (lambda rows: [rows[0], rows[0]], "row 2, seed: 2, where the plan has 3"),
        (lambda rows: rows[:1], "row 1, seed: 1 rows of job 1, which has 2"),
        (lambda rows: rows[::-1], "row 1, seed: 3, where the plan has 2"),
        (lambda rows: [], "it has no rows"),
    ],
    ids=["one more", "one twice", "one less", "in another order", "none"],
)
def test_a_job_has_its_rows_once(run, change, problem):
    rewritten(run, "records", change)
    with pytest.raises(RunError, match=r"00001-01\.parquet is damaged") as refused:
        run.records()
    assert problem in str(refused.value)


@pytest.mark.parametrize("kind", ["curves", "diagnostics"])
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: rows + rows, "row 3, epoch: .*stands there a second time"),
        (with_value("seed", 9), "row 2, seed: 9: the job has no such lane"),
        (with_value("phase", None), "row 2, phase: nothing: expected a value"),
        (with_value("epoch", -1), "row 2, epoch: -1: expected at least 0"),
        (with_value("epoch", 2_000_000), "row 2, epoch: 2000000: not an epoch of the recipe"),
    ],
)
def test_rows_of_epochs_are_those_of_the_job(run, kind, change, problem):
    rewritten(run, kind, change)
    with pytest.raises(RunError, match=f"{kind}/00001-01.parquet is damaged: {problem}"):
        getattr(run, kind)()


def test_a_table_has_the_columns_and_types_of_its_kind(run):
    path = run.folder / "records" / "00001-01.parquet"
    table = pq.read_table(path)
    as_float = table.set_column(
        table.schema.get_field_index("seed"), "seed", pc.cast(table["seed"], pa.float64())
    )
    for wrong, problem in [
        (as_float, "column 'seed' is double: expected int64"),
        (table.drop_columns(["status"]), "no column 'status'"),
        (table.append_column("mine", table["seed"]), "unknown columns 'mine'"),
        (table.append_column("seed", table["seed"]), "two columns of one name"),
    ]:
        pq.write_table(wrong, path)
        with pytest.raises(RunError, match=problem):
            run.records()
    pq.write_table(table.drop_columns(["mc_ece", "seconds_shared"]), path)  # an older run's file
    assert run.records()["mc_ece"].isna().all()


def test_a_file_has_no_more_rows_than_the_plan_promises(run, monkeypatch):
    path = run.folder / "records" / "00000-01.parquet"
    many = pq.read_table(path).take(pa.array(np.zeros(300_000, np.int32)))
    pq.write_table(many, path, compression="zstd")
    assert path.stat().st_size < 1_000_000

    def unpack(*_arguments, **_options):
        raise AssertionError("the rows are unpacked")

    monkeypatch.setattr(pq.ParquetFile, "read", unpack)
    with pytest.raises(RunError, match="300,000 rows, where the plan promises 2 at most"):
        run.records()


def test_a_text_larger_than_any_reason_is_not_unpacked(run):
    rewritten(run, "records", with_value("device", "x" * 17_000_000))
    with pytest.raises(RunError, match=r"bytes unpacked, where .* are the most"):
        run.records()


def test_a_packed_run_is_checked_too(run):
    pack(run)
    path = run.folder / "records.parquet"
    table = pq.read_table(path)
    pq.write_table(pa.concat_tables([table, table]), path)
    with pytest.raises(
        RunError, match=r"records\.parquet is damaged: row 5, attempt: 1 at job 0 a"
    ):
        run.records()
    accuracy = pa.array([0.5, 0.5, 7.0, 0.5])
    place = table.schema.get_field_index("test_accuracy")
    pq.write_table(table.set_column(place, "test_accuracy", accuracy), path)
    with pytest.raises(RunError, match=r"records\.parquet is damaged: row 3, test_accuracy: 7\.0"):
        run.records()


def test_a_packed_file_beside_newer_files_of_jobs_is_refused(run):
    kept = (run.folder / "records" / "00001-01.parquet").read_bytes()
    pack(run)
    (run.folder / "records").mkdir()
    newer = run.folder / "records" / "00001-02.parquet"
    newer.write_bytes(kept)
    with pytest.raises(RunError, match=f"records.parquet lacks the rows of {newer}"):
        run.records()


def test_packing_never_removes_files_that_the_packed_one_does_not_hold(run):
    kept = run.folder / "records" / "00001-01.parquet"
    content = kept.read_bytes()
    pack(run)
    (run.folder / "records").mkdir()
    kept.write_bytes(content)
    rewritten(run, "records", with_value("test_accuracy", 0.25))
    with pytest.raises(RunError, match="differ, so nothing was removed"):
        pack(run)
    assert kept.exists()


@pytest.fixture
def synthetic_run(tmp_path):
    return synthetic.write(tmp_path, synthetic.World(text=synthetic.SMALL, backends=("jax",)))


def test_curves_lack_no_epoch_of_a_lane_that_was_ok(synthetic_run):
    rewritten(synthetic_run, "curves", lambda rows: rows[:-1], "00000-01.parquet")
    with pytest.raises(RunError, match="seed 5 has 2 epochs, and its record says 3"):
        synthetic_run.curves()


def test_phases_epochs_and_scores_are_those_of_the_recipe(synthetic_run):
    for kind, column, value, problem in [
        ("curves", "phase", "other", "'other': the recipe has no such phase"),
        ("curves", "epoch", 4, "4: not an epoch of the recipe"),
        ("records", "epochs", 4, "4: more epochs than the recipe has"),
        ("records", "test_accuracy", None, "nothing: a row that is ok has one"),
        ("records", "reason", "why", "'why': a row that is ok has none"),
    ]:
        path = synthetic_run.folder / kind / "00000-01.parquet"
        kept = path.read_bytes()
        rewritten(synthetic_run, kind, with_value(column, value), "00000-01.parquet")
        with pytest.raises(RunError, match=problem):
            getattr(synthetic_run, kind)()
        path.write_bytes(kept)
    assert len(synthetic_run.curves()) == 28 * 3


def test_a_recipe_that_was_changed_since_is_said(tmp_path):
    world = synthetic.World(text=synthetic.SMALL, backends=("jax",))
    hashes = {cell.recipe.name: cell.recipe.fingerprint() for cell in world.suite.cells}

    def trained(key):
        return {"recipe_sha256": hashes[key.recipe]}

    run = synthetic.write(tmp_path, replace(world, change=trained))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        right = run.records()
    changed = synthetic.SMALL.replace("rate = 2e-3", "rate = 4e-3")
    path = run.folder / "plan.json"
    plan_now = json.loads(path.read_text())
    plan_now |= {"suite_text": changed, "suite_sha256": digest_text(changed)}
    path.write_text(json.dumps(plan_now))
    with pytest.warns(Notice, match="rows of one_rate were trained under another recipe"):
        assert Ledger.open(run.folder).records().equals(right)


def test_the_checks_take_a_large_table_in_moments():
    from time import process_time

    from manyseeds.ledger.promises import promises
    from manyseeds.ledger.table_checks import faults
    from tests.ledger.small_run import rows

    large = plan(jobs=500, lanes=20)
    records = [row for job in large.jobs for row in rows(job, test_accuracy=0.5)]
    table = pa.Table.from_pylist(records, schema=SCHEMAS["records"])
    frame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    started = process_time()
    assert not list(faults(frame, "records", "tiny", promises(large, None)))
    assert process_time() - started < 2
