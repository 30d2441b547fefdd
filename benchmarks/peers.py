"""The peers: Keras `fit` and plain loops in PyTorch and Flax, as their documentation writes them.

Each prepares what it can and returns the work that is timed: one training of one network.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import training_tasks

Work = Callable[..., dict[str, Any]]
_UNITS = (300, 100, 50, 50, 50)


def _arrays(task_name: str) -> tuple[Any, ...]:
    from manyseeds.datasets import task_splits

    task = training_tasks.phase(task_name).task
    data = task_splits(task, "float32")
    rows = slice(task.train)
    train, valid = data.train, data.valid
    return train.inputs[rows], train.labels[rows], valid.inputs, valid.labels


def keras(task: str, epochs: int) -> Work:
    """Prepare Keras `fit` as the chapter calls it; the work is one `fit` of a compiled model."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras as library

    x, y, valid_x, valid_y = _arrays(task)
    binary = training_tasks.is_binary(task)
    layers = [library.layers.Dense(units, activation="selu") for units in _UNITS]
    output = library.layers.Dense(1, "sigmoid") if binary else library.layers.Dense(8, "softmax")
    model = library.Sequential([library.Input((784,)), *layers, output])
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    model.compile(loss=loss, optimizer=library.optimizers.SGD(1e-3), metrics=["accuracy"])

    def work() -> dict[str, Any]:
        model.fit(x, y, batch_size=32, epochs=epochs, validation_data=(valid_x, valid_y), verbose=0)
        return {}

    return work


def torch_loop(task: str, epochs: int) -> Work:
    """Prepare nn.Module + torch.optim + DataLoader; the work is one training."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    arrays = _arrays(task)
    binary = training_tasks.is_binary(task)
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


def flax_loop(task: str, epochs: int) -> Work:
    """Prepare Flax + Optax with a jitted step; the work is one training."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import linen

    arrays = _arrays(task)
    x, y, valid_x, valid_y = (jnp.asarray(array) for array in arrays)
    binary = training_tasks.is_binary(task)

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
