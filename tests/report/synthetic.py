"""Ledgers of made-up trainings, shaped like the transfer suite, written by the real `Ledger`."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.plan import Job, Plan, RowKey
from manyseeds.model import digest_text
from manyseeds.randomness.streams import stream_seeds
from manyseeds.suite.files import suites_folder
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.suite import Cell, Suite

TRANSFER = (suites_folder() / "transfer.toml").read_text(encoding="utf-8")
BACKENDS = ("pytorch", "tensorflow", "jax")
MEANS = {"scratch": 0.965, "scratch_lecun": 0.962, "never_freeze": 0.9835, "reader_scratch": 0.985}
SPREADS = {"scratch": 0.008, "scratch_lecun": 0.009, "reader_scratch": 0.004}
TEST_SIZE = 2000
CORRELATION = 0.2

SMALL = """
name = "small"
title = "A small suite"
description = "Two recipes, one claim."
seeds = 12
lanes = 6
solo = 2
[tasks.t]
dataset = "fashion-mnist-12k"
classes = [5, 6]
train = 200
[networks.n]
hidden = [10]
activation = "relu"
initialiser = "he_normal"
output = { units = 1, activation = "logistic" }
[phases.p]
task = "t"
network = "n"
epochs = 3
rate = 1e-3
[[recipes]]
name = "scratch"
phases = ["p"]
[[recipes]]
name = "one_rate"
phases = [{ use = "p", rate = 2e-3 }]
[[claims]]
name = "better"
sentence = "A larger rate is better."
treatment = "one_rate"
baseline = "scratch"
least_effect = 0.01
factor = 3.7
references = [
    { label = "book", baseline = 0.972, treatment = 0.9925, factor = 3.7 },
    { label = "printed", factor = 4.9 },
]
"""
"""A suite that renders in little time."""

KINDS = (
    SMALL
    + """
[[recipes]]
name = "third"
phases = [{ use = "p", rate = 3e-3 }]
[[claims]]
name = "sooner"
sentence = "A larger rate is sooner there."
estimand = "time_to_target"
treatment = "one_rate"
baseline = "scratch"
target = 0.73
least_effect = 0.7
[[claims]]
name = "quicker"
sentence = "A larger rate takes fewer seconds."
estimand = "time_to_target"
clock = "seconds"
treatment = "one_rate"
baseline = "scratch"
target = 0.73
least_effect = 0.5
[[claims]]
name = "ratio"
sentence = "A larger rate halves the error."
estimand = "ratio"
treatment = "one_rate"
baseline = "scratch"
least_effect = 1.5
[[claims]]
name = "mostly"
sentence = "A larger rate is mostly better."
estimand = "probability_of_improvement"
treatment = "one_rate"
baseline = "scratch"
least_effect = 0.25
[[claims]]
name = "same"
sentence = "The third is like the first."
estimand = "equivalence"
treatment = "third"
baseline = "scratch"
least_effect = 0.01
[[claims]]
name = "order"
sentence = "They come in this order."
estimand = "ordering"
recipes = ["third", "one_rate", "scratch"]
least_effect = 0.3
[[claims]]
name = "enough"
sentence = "It is good enough."
estimand = "threshold"
recipe = "one_rate"
threshold = 0.97
least_effect = 0.005
"""
)
"""The same with a claim of every kind whose numbers are made up here."""

Change = Callable[[RowKey], Mapping[str, Any] | None]
"""What to change in a row's record; None leaves the record out, so that the row is missing."""


@dataclass(frozen=True)
class World:
    """What is made up: every number is a function of the row's key alone."""

    text: str = TRANSFER
    run: str = "2026-01-01T000000-transfer"
    quick: bool = False
    backends: tuple[str, ...] = BACKENDS
    change: Change = lambda key: {}
    curves: bool = True  # without curves, no record says that an epoch was trained
    settings: Mapping[str, Any] = field(default_factory=lambda: {"device": "cpu"})

    @property
    def suite(self) -> Suite:
        return parse_suite(self.text, "made_up.toml", quick=self.quick)


def write(results: Path, world: World) -> Ledger:
    """Write a whole run and return its ledger."""
    suite = world.suite
    jobs = tuple(_jobs(suite, world))
    plan = Plan(
        run=world.run,
        suite=suite.name,
        suite_file="suites/made_up.toml",
        suite_text=world.text,
        suite_sha256=digest_text(world.text),
        quick=world.quick,
        precision="float32",
        primary=suite.primary,
        jobs=jobs,
        **world.settings,
    )
    ledger = Ledger.create(results, plan)
    ledger.write_provenance([provenance(backend) for backend in world.backends[:1]])
    untrained = {} if world.curves else {"epochs": 0, "best_epoch": 0}
    for job in jobs:
        kept = [(key, world.change(key)) for key in job.rows()]
        recipe = suite.recipe(job.recipe, job.case)
        records = [
            _changed(record(suite.name, recipe, job, key) | untrained, change)
            for key, change in kept
            if change is not None
        ]
        if records:
            curves = [row for key, _ in kept for row in _curve(recipe, job, key)]
            ledger.append(job.id, records, curves if world.curves else [])
    return ledger


def _changed(row: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with a change; a row that was not trained keeps its identity alone."""
    if change.get("status") in ("failed", "timed_out"):
        trained = ("test_", "train_", "valid_", "seconds_", "best_", "epochs", "compil", "peak_")
        row = {name: value for name, value in row.items() if not name.startswith(trained)}
    return row | change


def _jobs(suite: Suite, world: World) -> Iterator[Job]:
    """Yield the jobs; the rows without a record are in jobs of their own, as in real runs."""
    number = 0
    ordinary = "+".join(suite.varied)
    for backend in world.backends:
        for cell in suite.cells:
            for mode, vary, seeds, lanes in _stretches(suite, cell, ordinary):
                for first in range(0, seeds, lanes):
                    names = (cell.recipe.name, cell.case, backend, mode, vary)
                    lost = {
                        seed: world.change(RowKey(*names, seed)) is None
                        for seed in range(first, min(first + lanes, seeds))
                    }
                    for wanted in (False, True):
                        together = tuple(seed for seed, gone in lost.items() if gone is wanted)
                        if together:
                            fields = dict(zip(RowKey._fields, names, strict=False))
                            yield Job(id=number, seeds=together, **fields)
                            number += 1


def _stretches(suite: Suite, cell: Cell, ordinary: str) -> Iterator[tuple[Any, str, int, int]]:
    yield "cohort", ordinary, suite.seeds, suite.lanes
    if suite.solo:
        yield "solo", ordinary, suite.solo, 1
    study = suite.variance
    if study and cell.recipe.name in study.recipes:
        for stream in study.streams:
            yield "cohort", stream, study.seeds, suite.lanes


def _normal(*key: Any) -> float:
    seed = zlib.crc32("/".join(map(str, key)).encode())
    return float(np.random.Generator(np.random.Philox(seed)).standard_normal())


def accuracy(key: RowKey) -> float:
    """Return a row's made-up test accuracy, a multiple of 1/2000."""
    mean, spread = MEANS.get(key.recipe, 0.985), SPREADS.get(key.recipe, 0.004)
    share = {"init": 0.8, "order": 0.5, "split": 1.3}.get(key.vary, 1.0)
    common = _normal("seed", key.case, key.vary, key.seed)
    own = _normal("recipe", key.recipe, key.case, key.vary, key.seed)
    noise = CORRELATION**0.5 * common + (1 - CORRELATION) ** 0.5 * own
    backend = 1e-3 * _normal("backend", *key)
    value = mean + spread * share * noise + backend
    return min(round(value * TEST_SIZE), TEST_SIZE) / TEST_SIZE


def record(suite: str, recipe: Recipe, job: Job, key: RowKey) -> dict[str, Any]:
    """Return the record of a row that went well."""
    value = accuracy(key)
    alone = 40.0 if key.backend == "tensorflow" else 30.0
    seconds = alone if key.mode == "solo" else alone * 1.8
    streams = stream_seeds(key.seed, job.varied).as_dict()
    epochs = sum(phase.epochs for phase in recipe.phases)
    return {
        "suite": suite,
        **key._asdict(),
        "recipe_sha256": digest_text(key.recipe),
        "device": "cpu",
        **{f"seed_{stream}": seed for stream, seed in streams.items()},
        "job": job.id,
        "attempt": 1,
        "lanes": len(job.seeds),
        "epochs": epochs,
        "best_epoch": epochs,
        "compilations": 1,
        "peak_memory_bytes": 400_000_000,
        "status": "ok",
        "reason": None,
        "train_loss": 0.05,
        "valid_loss": 0.08,
        "valid_accuracy": value - 0.002,
        "test_loss": 0.09,
        "test_accuracy": value,
        "seconds_train": seconds * 0.2,
        "seconds_evaluate": seconds * 0.02,
        "seconds_compile": 2.5,
        "seconds_shared": 0.0 if "scratch" in key.recipe else seconds * 0.78,
    }


def _curve(recipe: Any, job: Job, key: RowKey) -> Iterator[dict[str, Any]]:
    last, shift, epoch = accuracy(key), _normal("curve", *key), 0
    for phase in recipe.phases:
        for step in range(phase.epochs):
            epoch += 1
            left = 0.4 * np.exp(-(step + 1 + 10 * (phase.reuse == "all")) / 4)
            yield {
                **key._asdict(),
                "job": job.id,
                "attempt": 1,
                "phase": phase.name,
                "epoch": epoch,
                "rate": phase.rate,
                "train_loss": 0.05 + left * (1 + 0.1 * shift),
                "valid_loss": 0.08 + left * (1 + 0.12 * shift),
                "valid_accuracy": min(1.0, last - left * (1 + 0.1 * shift)),
            }


def provenance(backend: str) -> dict[str, Any]:
    """Return a session's provenance, of the shape that runs write."""
    return {
        "started": "2026-01-01T00:00:00+00:00",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": True,
        "python": "3.13.1",
        "platform": "Linux-6.1-x86_64",
        "cpu": {"name": "An Example CPU", "cores": 2},
        "packages": {"numpy": "2.4.6", "scipy": "1.17.1", "manyseeds": "0.1.0"},
        "datasets": {"fashion-mnist": {"train-images": "ab" * 32, "train-labels": "cd" * 32}},
        "backends": {
            backend: {
                "versions": {"torch": "2.9.0"},
                "device": "cpu",
                "device_name": "An Example CPU",
                "threads": 2,
                "switches": {"deterministic": True, "tf32": False},
            }
        },
    }
