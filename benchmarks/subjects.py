"""The process in which subjects are timed: manyseeds, its peers, matrix products.

A request names a subject, the arguments it is prepared with and those of its work; the answer is
the seconds of the work and its results. Preparing, once for the same arguments, is not timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np

from benchmarks import peers, products, training_tasks, variants
from manyseeds.backend.discovery import backend_entry
from manyseeds.backend.protocols import Backend
from manyseeds.backend.settings import Settings
from manyseeds.backend.values import Sampling
from manyseeds.datasets import task_splits
from manyseeds.execution.phase import train_phase
from manyseeds.execution.state import State
from manyseeds.execution.timetable import Timetable, first_weights, noise_keys
from manyseeds.processes.framing import Message
from manyseeds.processes.host import forget_peak_memory, peak_memory
from manyseeds.processes.serving import Send, serve
from manyseeds.randomness.lanes import Lanes, seeds_of
from manyseeds.techniques.folding import folded

Work = Callable[..., dict[str, Any]]


def training(backend: str, task: str, epochs: int, lanes: int) -> Work:
    """Prepare a cohort of manyseeds; the work is one training of all lanes.

    It returns the seconds of training, evaluation and compiling, and the peak memory in bytes.
    """
    recipe = training_tasks.recipe(task, epochs)
    data = task_splits(recipe.phases[0].task, "float32")
    opened = _opened(backend)
    seeds = seeds_of(range(lanes), ("init", "order"))

    def work() -> dict[str, Any]:
        forget_peak_memory()
        compiled = opened.compiled()
        cohort = opened.cohort(recipe.phases[0].network, data, len(seeds))
        state = train_phase(cohort, recipe, State.start(len(seeds)), data, seeds, lambda _: None)
        return {
            **asdict(state.seconds),
            "compile": (opened.compiled() - compiled).seconds,
            "peak_memory_bytes": peak_memory(),
        }

    return work


def steps(backend: str, count: int, lanes: int) -> Work:
    """Open a backend; the work is `count` steps of a cohort with the variant that it is passed.

    A variant is prepared when it is first used.
    """
    opened = _opened(backend)
    seeds = _seeds(range(lanes))

    @cache
    def prepared(variant: str) -> Callable[[], Any]:
        phase = variants.phase(variant)
        data = task_splits(phase.task, "float32")
        cohort = opened.cohort(phase.network, data, len(seeds))
        state = State.start(len(seeds))
        cohort.begin(phase, first_weights(phase, state, seeds, data.train.inputs.shape[1]))
        epoch = Timetable.of(phase, state, seeds, data.train).plan(0, np.empty((0, len(seeds))))
        plan = epoch.steps(0, count)
        cohort.train(plan)
        return lambda: cohort.train(plan)

    def work(variant: str = "plain") -> dict[str, Any]:
        train = prepared(variant)
        started = time.perf_counter()
        train()
        return {"seconds": time.perf_counter() - started}

    return work


def prediction(backend: str, count: int) -> Work:
    """Open a backend; the work is `count` predictions of the test images by one lane.

    It takes the variant and the form: "plain", "folded", or a number of Monte Carlo samples.
    """
    opened = _opened(backend)
    seeds = _seeds([0])

    @cache
    def prepared(variant: str, form: str) -> Callable[[], Any]:
        phase = variants.phase(variant)
        data = task_splits(phase.task, "float32")
        weights = first_weights(phase, State.start(1), seeds, data.train.inputs.shape[1])
        if form == "folded":
            network, weights = folded(phase.network, weights)
            phase = phase.model_copy(update={"network": network})
        cohort = opened.cohort(phase.network, data, 1)
        cohort.begin(phase, weights)
        sampling = Sampling(int(form), noise_keys(phase, seeds, "mc")) if form.isdigit() else None
        cohort.score(("accuracy",), sampling=sampling)
        return lambda: cohort.score(("accuracy",), sampling=sampling)

    def work(variant: str = "plain", form: str = "plain") -> dict[str, Any]:
        predict = prepared(variant, form)
        started = time.perf_counter()
        for _ in range(count):
            predict()
        return {"seconds": (time.perf_counter() - started) / count}

    return work


def multiplying(library: str) -> Work:
    """Prepare nothing; the work is matrix products of these shapes in this many lanes.

    Each is repeated for the given seconds; the work returns the least seconds of each.
    """

    def work(lanes: int, shapes: Sequence[Sequence[int]], seconds: float) -> dict[str, Any]:
        shaped = [products.Product(*sizes) for sizes in shapes]
        return {"products": [products.fastest(library, lanes, shape, seconds) for shape in shaped]}

    return work


def _opened(backend: str) -> Backend:
    return backend_entry(backend).open(Settings())


def _seeds(seeds: Sequence[int]) -> Lanes:
    return seeds_of(seeds, ("init", "order", "dropout", "augment"))


SUBJECTS: dict[str, Callable[..., Work]] = {
    "training": training,
    "steps": steps,
    "prediction": prediction,
    "multiplying": multiplying,
    "keras": peers.keras,
    "torch_loop": peers.torch_loop,
    "flax_loop": peers.flax_loop,
}


@cache
def prepared_subject(name: str, arguments: tuple[Any, ...]) -> Work:
    """Prepare a subject, once for the same arguments, and return its work."""
    return SUBJECTS[name](*arguments)


def answer(request: Message, send: Send) -> None:
    """Do the work of a subject once and send its results, with the seconds it took."""
    name, arguments, work_arguments = request["request"]
    work = prepared_subject(name, tuple(arguments))
    started = time.perf_counter()
    results = work(*work_arguments)
    send({"seconds": time.perf_counter() - started, **results})


if __name__ == "__main__":
    serve(answer)
