"""The canonical optimizers as Optax transformations of one lane, for `jax.vmap`.

Optax transformations consist of pure functions. Made inside the compiled step, they take that
step's rate, momentum and hyperparameters as run-time values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from manyseeds_jax.optimizers_adaptive import follow_the_leader, scale_by_adamax, scale_by_nadam

Tree = Any
Hyperparameters = Mapping[str, Any]
"""Arrays without axes, by name."""
Scaling = Callable[[Hyperparameters], optax.GradientTransformation]
Rule = Callable[[jax.Array, jax.Array, Hyperparameters], optax.GradientTransformation]
"""Makes one step's transformation from the step's rate and momentum and the hyperparameters."""


def initial_state(name: str, parameters: Tree, hyperparameters: Hyperparameters) -> Tree:
    """Return the state of a fresh optimizer on the host, without running or compiling anything.

    Parameters
    ----------
    name
        The optimizer's name.
    parameters
        The trained weights, [lanes, ...].
    hyperparameters
        The optimizer's hyperparameters other than rate and momentum.
    """
    # By the name of a field of the state; every other field starts at 0.
    accumulator = hyperparameters.get("accumulator", 0)
    starts = {".sum_of_squares": accumulator, ".root": np.sqrt(accumulator), ".product": 1}

    def fresh(parameters: Tree) -> Tree:
        zero = jnp.zeros(())
        return RULES[name](zero, zero, hyperparameters).init(parameters)

    def start(path: tuple[Any, ...], leaf: jax.ShapeDtypeStruct) -> np.ndarray[Any, Any]:
        value = next((starts[str(key)] for key in path if str(key) in starts), 0)
        return np.full(leaf.shape, value, leaf.dtype)

    return jax.tree_util.tree_map_with_path(start, jax.eval_shape(jax.vmap(fresh), parameters))


def _sgd(
    rate: jax.Array, momentum: jax.Array, hyperparameters: Hyperparameters
) -> optax.GradientTransformation:
    del momentum, hyperparameters
    return optax.sgd(rate, momentum=None, nesterov=False)


def _velocity(
    rate: jax.Array, momentum: jax.Array, hyperparameters: Hyperparameters, *, nesterov: bool
) -> optax.GradientTransformation:
    del hyperparameters
    # The velocity contains the rate; optax.sgd would multiply it by the current step's rate.
    return optax.chain(
        optax.scale(rate), optax.trace(decay=momentum, nesterov=nesterov), optax.scale(-1.0)
    )


def _ftrl(
    rate: jax.Array, momentum: jax.Array, hyperparameters: Hyperparameters
) -> optax.GradientTransformation:
    del momentum
    return follow_the_leader(rate, hyperparameters["l1"], hyperparameters["l2"])


def _scaled(scaling: Scaling) -> Rule:
    """Return the rule of an optimizer that multiplies a scaled gradient by the rate."""

    def rule(
        rate: jax.Array, momentum: jax.Array, hyperparameters: Hyperparameters
    ) -> optax.GradientTransformation:
        del momentum
        return optax.chain(scaling(hyperparameters), optax.scale_by_learning_rate(rate))

    return rule


def _adagrad(hyperparameters: Hyperparameters) -> optax.GradientTransformation:
    return optax.scale_by_rss(hyperparameters["accumulator"], hyperparameters["epsilon"])


def _rmsprop(hyperparameters: Hyperparameters) -> optax.GradientTransformation:
    return optax.scale_by_rms(
        hyperparameters["rho"],
        hyperparameters["epsilon"],
        initial_scale=0.0,
        eps_in_sqrt=True,
        bias_correction=False,
    )


def _adam(hyperparameters: Hyperparameters) -> optax.GradientTransformation:
    return optax.scale_by_adam(
        b1=hyperparameters["beta1"],
        b2=hyperparameters["beta2"],
        eps=hyperparameters["epsilon"],
        eps_root=0.0,
        nesterov=False,
    )


def _adamax(hyperparameters: Hyperparameters) -> optax.GradientTransformation:
    return scale_by_adamax(**hyperparameters)


def _nadam(hyperparameters: Hyperparameters) -> optax.GradientTransformation:
    return scale_by_nadam(**hyperparameters)


RULES: Mapping[str, Rule] = {
    "sgd": _sgd,
    "momentum": partial(_velocity, nesterov=False),
    "nesterov": partial(_velocity, nesterov=True),
    "adagrad": _scaled(_adagrad),
    "rmsprop": _scaled(_rmsprop),
    "adam": _scaled(_adam),
    "adamax": _scaled(_adamax),
    "nadam": _scaled(_nadam),
    "nadam_keras3": _scaled(_nadam),
    "ftrl": _ftrl,
}
"""The rule of each optimizer, by its name."""
