"""A small run for the tests of the ledger: its plan, its rows, its files."""

from manyseeds.ledger.plan import Job, Plan
from manyseeds.ledger.schemas import ROW_KEY
from manyseeds.model import digest_text

TEXT = 'name = "tiny"'


def plan(jobs=2, lanes=2, run="tiny-1"):
    return Plan(
        run=run,
        suite="tiny",
        suite_file="tiny.toml",
        suite_text=TEXT,
        suite_sha256=digest_text(TEXT),
        quick=False,
        device="cpu",
        precision="float32",
        primary="test_accuracy",
        jobs=tuple(
            Job(
                id=number,
                backend="numpy",
                recipe="scratch",
                case="",
                mode="cohort",
                vary="init",
                seeds=tuple(range(lanes * number, lanes * number + lanes)),
            )
            for number in range(jobs)
        ),
    )


def rows(job, attempt=1, status="ok", **fields):
    scores = {"test_loss": 1 / 3} if status == "ok" else {"reason": "it broke"}
    return [
        dict(zip(ROW_KEY, row, strict=True))
        | {"suite": "tiny", "job": job.id, "attempt": attempt, "status": status}
        | {"lanes": len(job.seeds), "recipe_sha256": "ab" * 32}
        | scores
        | ({"test_accuracy": 0.1 + row.seed / 9} if status == "ok" else {})
        | fields
        for row in job.rows()
    ]


def curves(job, attempt=1):
    return [
        row | {"phase": "train", "epoch": 1, "rate": 0.1, "train_loss": 1 / 3}
        for row in _keys(job, attempt)
    ]


def diagnostics(job, attempt=1, value=1 / 3):
    seen = {"phase": "train", "epoch": 0, "step": None, "layer": "hidden1", "quantity": "dead"}
    return [row | seen | {"value": value} for row in _keys(job, attempt)]


def _keys(job, attempt):
    return [
        dict(zip(ROW_KEY, row, strict=True)) | {"job": job.id, "attempt": attempt}
        for row in job.rows()
    ]


def append(run, number, attempt=1, **fields):
    job = run.plan.jobs[number]
    seen = diagnostics(job, attempt)
    run.append(number, rows(job, attempt, **fields), curves(job, attempt), seen)


def files(run):
    return sorted(str(p.relative_to(run.folder)) for p in run.folder.rglob("*") if p.is_file())
