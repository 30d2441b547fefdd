"""What is timed, each in a process of its own: manyseeds, and the frameworks' own loops.

    python suites/timing/subjects.py SUBJECT NAME EPOCHS [BACKEND LANES]

prepares, prints "ready", then for every line it reads, a JSON list of arguments, does the work once
and prints how, as JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import problems
import variants

Work = Callable[..., dict[str, Any]]
CLEAR = Path("/proc/self/clear_refs")


def ours(name: str, epochs: int, backend: str, lanes: str) -> Work:
    """Prepare a cohort of manyseeds; the work is one training of all lanes."""
    from manyseeds.backend.discovery import backend_entry
    from manyseeds.backend.settings import Settings
    from manyseeds.datasets import task_splits
    from manyseeds.execution.phase import train_phase
    from manyseeds.execution.state import State
    from manyseeds.randomness.lanes import seeds_of

    recipe = problems.recipe(name, epochs)
    data = task_splits(recipe.phases[0].task, "float32")
    opened = backend_entry(backend).open(Settings())
    cohort_lanes = seeds_of(range(int(lanes)), ("init", "order"))

    def work() -> dict[str, Any]:
        _forget_peak()
        cohort = opened.cohort(recipe.phases[0].network, data, len(cohort_lanes))
        state = train_phase(
            cohort, recipe, State.start(len(cohort_lanes)), data, cohort_lanes, lambda _: None
        )
        return {**asdict(state.seconds), "peak_memory_bytes": _peak()}

    return work


def steps(name: str, count: int, backend: str, lanes: str) -> Work:
    """Prepare nothing: the work is so many steps of a cohort with the variant it is told.

    A variant is prepared when it is first told.
    """
    del name
    opened = _opened(backend)
    seeds = _seeds(range(int(lanes)))

    @cache
    def prepared(variant: str) -> Callable[[], Any]:
        from manyseeds.datasets import task_splits
        from manyseeds.execution.state import State
        from manyseeds.execution.timetable import Timetable, first_weights

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


def prediction(name: str, count: int, backend: str) -> Work:
    """Prepare nothing: the work is so many predictions of the test images by one lane.

    It is told the variant, then how: "plain", "folded", or a number of Monte Carlo samples.
    """
    del name
    opened = _opened(backend)
    seeds = _seeds([0])

    @cache
    def prepared(variant: str, how: str) -> Callable[[], Any]:
        from manyseeds.backend.values import Sampling
        from manyseeds.datasets import task_splits
        from manyseeds.execution.state import State
        from manyseeds.execution.timetable import first_weights, noise_keys
        from manyseeds.techniques.folding import folded

        phase = variants.phase(variant)
        data = task_splits(phase.task, "float32")
        weights = first_weights(phase, State.start(1), seeds, data.train.inputs.shape[1])
        if how == "folded":
            network, weights = folded(phase.network, weights)
            phase = phase.model_copy(update={"network": network})
        cohort = opened.cohort(phase.network, data, 1)
        cohort.begin(phase, weights)
        sampling = Sampling(int(how), noise_keys(phase, seeds, "mc")) if how.isdigit() else None
        cohort.score(("accuracy",), sampling=sampling)
        return lambda: cohort.score(("accuracy",), sampling=sampling)

    def work(variant: str = "plain", how: str = "plain") -> dict[str, Any]:
        predict = prepared(variant, how)
        started = time.perf_counter()
        for _ in range(count):
            predict()
        return {"seconds": (time.perf_counter() - started) / count}

    return work


def _opened(backend: str) -> Any:
    from manyseeds.backend.discovery import backend_entry
    from manyseeds.backend.settings import Settings

    return backend_entry(backend).open(Settings())


def _seeds(seeds: Sequence[int]) -> Any:
    from manyseeds.randomness.lanes import seeds_of

    return seeds_of(seeds, ("init", "order", "dropout", "augment"))


def _forget_peak() -> None:
    """Forget how much memory preparing took at most; Linux alone can."""
    if CLEAR.exists():
        CLEAR.write_text("5")


def _peak() -> int:
    """Return the most memory this process has had since, in bytes."""
    if not CLEAR.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _arrays(name: str) -> tuple[Any, ...]:
    from manyseeds.datasets import task_splits

    task = problems.phase(name).task
    data = task_splits(task, "float32")
    rows = slice(task.train)
    train, valid = data.train, data.valid
    return train.inputs[rows], train.labels[rows], valid.inputs, valid.labels


_UNITS = (300, 100, 50, 50, 50)


def keras(name: str, epochs: int) -> Work:
    """Prepare Keras `fit` as the chapter calls it; the work is one `fit` of a compiled model."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras as library

    x, y, valid_x, valid_y = _arrays(name)
    binary = name == "scratch"
    layers = [library.layers.Dense(units, activation="selu") for units in _UNITS]
    output = library.layers.Dense(1, "sigmoid") if binary else library.layers.Dense(8, "softmax")
    model = library.Sequential([library.Input((784,)), *layers, output])
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    model.compile(loss=loss, optimizer=library.optimizers.SGD(1e-3), metrics=["accuracy"])

    def work() -> dict[str, Any]:
        model.fit(x, y, batch_size=32, epochs=epochs, validation_data=(valid_x, valid_y), verbose=0)
        return {}

    return work


def torch_loop(name: str, epochs: int) -> Work:
    """Prepare nn.Module + torch.optim + DataLoader; the work is one training."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    arrays = _arrays(name)
    binary = name == "scratch"
    x, y, valid_x, valid_y = (torch.from_numpy(np.ascontiguousarray(a)) for a in arrays)
    y, valid_y = (v.float() if binary else v.long() for v in (y, valid_y))
    sizes = (784, *_UNITS, 1 if binary else 8)
    loss_of = nn.BCEWithLogitsLoss() if binary else nn.CrossEntropyLoss()

    def accuracy(logits: torch.Tensor) -> float:
        guess = (logits > 0) if binary else logits.argmax(1)
        return float((guess == valid_y).float().mean())

    def work() -> dict[str, Any]:
        layers: list[nn.Module] = []
        for fan_in, units in itertools.pairwise(sizes):
            layers += [nn.Linear(fan_in, units), nn.SELU()]
        model = nn.Sequential(*layers[:-1])
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
        for _ in range(epochs):
            for inputs, labels in loader:
                optimizer.zero_grad()
                logits = model(inputs)
                loss_of(logits.squeeze(1) if binary else logits, labels).backward()
                optimizer.step()
            with torch.no_grad():
                logits = model(valid_x)
                logits = logits.squeeze(1) if binary else logits
                loss_of(logits, valid_y).item()
                accuracy(logits)
        return {}

    return work


def flax_loop(name: str, epochs: int) -> Work:
    """Prepare Flax + Optax with a jitted step; the work is one training."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import linen

    arrays = _arrays(name)
    x, y, valid_x, valid_y = (jnp.asarray(array) for array in arrays)
    binary = name == "scratch"

    class Net(linen.Module):
        @linen.compact
        def __call__(self, inputs: jax.Array) -> jax.Array:
            for units in _UNITS:
                inputs = linen.selu(linen.Dense(units)(inputs))
            return linen.Dense(1 if binary else 8)(inputs)

    net, optimizer = Net(), optax.sgd(1e-3)

    def losses(parameters: Any, inputs: jax.Array, labels: jax.Array) -> jax.Array:
        logits = net.apply(parameters, inputs)
        if binary:
            return optax.sigmoid_binary_cross_entropy(logits[:, 0], labels).mean()
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    @jax.jit
    def step(parameters: Any, state: Any, inputs: jax.Array, labels: jax.Array) -> Any:
        loss, gradient = jax.value_and_grad(losses)(parameters, inputs, labels)
        updates, state = optimizer.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state, loss

    evaluate = jax.jit(losses)
    generator = np.random.default_rng(0)

    def work() -> dict[str, Any]:
        parameters = net.init(jax.random.key(0), x[:1])
        state = optimizer.init(parameters)
        for _ in range(epochs):
            order = generator.permutation(len(x))
            for start in range(0, len(x), 32):
                rows = order[start : start + 32]
                parameters, state, loss = step(parameters, state, x[rows], y[rows])
            jax.block_until_ready((loss, evaluate(parameters, valid_x, valid_y)))
        return {}

    return work


def product(name: str, epochs: int) -> Work:
    """Prepare a large float32 matrix product, the fastest arithmetic this machine has."""
    del epochs
    import torch

    a, b = torch.rand(2048, 2048), torch.rand(2048, 2048)

    def work() -> dict[str, Any]:
        started = time.perf_counter()
        for _ in range(20):
            torch.mm(a, b)
        return {"flops_per_second": 20 * 2 * 2048**3 / (time.perf_counter() - started)}

    del name
    return work


SUBJECTS: dict[str, Callable[..., Work]] = {
    "ours": ours,
    "keras": keras,
    "torch_loop": torch_loop,
    "flax_loop": flax_loop,
    "product": product,
    "steps": steps,
    "prediction": prediction,
}


def main() -> None:
    """Serve."""
    subject, name, epochs, *rest = sys.argv[1:]
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    work = SUBJECTS[subject](name, int(epochs), *rest)
    out.write("ready\n")
    for line in sys.stdin:
        started = time.perf_counter()
        found = work(*json.loads(line))
        out.write(json.dumps({"seconds": time.perf_counter() - started, **found}) + "\n")


if __name__ == "__main__":
    main()
