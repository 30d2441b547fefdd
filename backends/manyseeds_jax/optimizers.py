"""The canonical optimizers as Optax transformations; one lane, for `jax.vmap`.

Optax transformations are made of pure functions: made inside the compiled step, they take that
step's rate, momentum and hyperparameters as run-time values. Where Optax's own is another
equation, the few lines that differ are here, in Optax's own form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

Tree = Any
Hyperparameters = Mapping[str, Any]


def transformation(
    kind: str, rate: jax.Array, momentum: jax.Array, hyperparameters: Hyperparameters
) -> optax.GradientTransformation:
    """Return one step of an optimizer.

    Parameters
    ----------
    kind
        The optimizer's name.
    rate, momentum
        Of this step and lane, no axes; optimizers without a momentum ignore it.
    hyperparameters
        The other hyperparameters by name, no axes.
    """
    match kind:
        case "sgd":
            return optax.sgd(rate, momentum=None, nesterov=False)
        case "momentum" | "nesterov":
            # The velocity holds the rate: optax.sgd would scale the velocity by today's rate.
            return optax.chain(
                optax.scale(rate),
                optax.trace(decay=momentum, nesterov=kind == "nesterov"),
                optax.scale(-1.0),
            )
        case "ftrl":
            return follow_the_leader(rate, **_without(hyperparameters, "accumulator"))
    return optax.chain(_SCALINGS[kind](hyperparameters), optax.scale_by_learning_rate(rate))


_SCALINGS: Mapping[str, Callable[[Hyperparameters], optax.GradientTransformation]] = {
    "adagrad": lambda hyperparameters: optax.scale_by_rss(
        hyperparameters["accumulator"], hyperparameters["epsilon"]
    ),
    "rmsprop": lambda hyperparameters: optax.scale_by_rms(
        hyperparameters["rho"],
        hyperparameters["epsilon"],
        initial_scale=0.0,
        eps_in_sqrt=True,
        bias_correction=False,
    ),
    "adam": lambda hyperparameters: optax.scale_by_adam(
        b1=hyperparameters["beta1"],
        b2=hyperparameters["beta2"],
        eps=hyperparameters["epsilon"],
        eps_root=0.0,
        nesterov=False,
    ),
    "adamax": lambda hyperparameters: scale_by_adamax(**hyperparameters),
    "nadam": lambda hyperparameters: scale_by_nadam(**hyperparameters),
    "nadam_keras3": lambda hyperparameters: scale_by_nadam(**hyperparameters),
}
"""What each optimizer makes of a gradient before it is multiplied by the rate."""


def initial_state(kind: str, parameters: Tree, hyperparameters: Hyperparameters) -> Tree:
    """Return the state of a fresh optimizer on the host, without running or compiling anything.

    Parameters
    ----------
    parameters
        The trained weights, [lanes, ...].
    hyperparameters
        As for `transformation`.
    """
    # By the name of its field in Optax's or our own state; all else starts at 0.
    accumulator = hyperparameters.get("accumulator", 0)
    starts = {".sum_of_squares": accumulator, ".root": np.sqrt(accumulator), ".product": 1}

    def fresh(parameters: Tree) -> Tree:
        zero = jnp.zeros(())
        return transformation(kind, zero, zero, hyperparameters).init(parameters)

    def start(path: tuple[Any, ...], leaf: jax.ShapeDtypeStruct) -> np.ndarray[Any, Any]:
        value = next((starts[str(key)] for key in path if str(key) in starts), 0)
        return np.full(leaf.shape, value, leaf.dtype)

    return jax.tree_util.tree_map_with_path(start, jax.eval_shape(jax.vmap(fresh), parameters))


def scale_by_adamax(
    beta1: jax.Array, beta2: jax.Array, epsilon: jax.Array
) -> optax.GradientTransformation:
    """Kingma and Ba 2015, Algorithm 2, with epsilon outside the maximum; Optax's is inside."""

    def update(updates: Tree, state: Tree, params: Tree = None) -> tuple[Tree, Tree]:
        del params
        count = state.count + 1
        mu = optax.tree.update_moment(updates, state.mu, beta1, 1)
        nu = jax.tree.map(lambda g, u: jnp.maximum(beta2 * u, jnp.abs(g)), updates, state.nu)
        corrected = optax.tree.bias_correction(mu, beta1, count)
        updates = jax.tree.map(lambda m, u: m / (u + epsilon), corrected, nu)
        return updates, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(optax.scale_by_adam().init, update)


class NadamState(NamedTuple):
    """Steps taken, the product of their momenta, and both moments."""

    steps: jax.Array
    product: jax.Array
    mu: Tree
    nu: Tree


def scale_by_nadam(
    beta1: jax.Array, beta2: jax.Array, epsilon: jax.Array, decay: jax.Array
) -> optax.GradientTransformation:
    """Dozat 2016 with its schedule of the momentum, which `optax.nadam` does not have."""

    def init(params: Tree) -> NadamState:
        zeros = optax.tree.zeros_like(params)
        return NadamState(jnp.zeros((), jnp.int32), jnp.ones_like(beta1), zeros, zeros)

    def momentum(step: jax.Array) -> jax.Array:
        return beta1 * (1 - 0.5 * 0.96 ** (decay * step))

    def update(updates: Tree, state: NadamState, params: Tree = None) -> tuple[Tree, NadamState]:
        del params
        step = state.steps + 1
        now, later = momentum(step), momentum(step + 1)
        product = state.product * now
        mu = optax.tree.update_moment(updates, state.mu, beta1, 1)
        nu = optax.tree.update_moment_per_elem_norm(updates, state.nu, beta2, 2)
        of_mean, of_gradient = later / (1 - product * later), (1 - now) / (1 - product)
        corrected = optax.tree.bias_correction(nu, beta2, step)
        updates = jax.tree.map(
            lambda m, g, s: (of_mean * m + of_gradient * g) / (jnp.sqrt(s) + epsilon),
            *(mu, updates, corrected),
        )
        return updates, NadamState(step, product, mu, nu)

    return optax.GradientTransformation(init, update)


class FtrlState(NamedTuple):
    """The roots of the sums of squares of the gradients, and z."""

    root: Tree
    linear: Tree


def follow_the_leader(
    rate: jax.Array, l1: jax.Array, l2: jax.Array
) -> optax.GradientTransformation:
    """McMahan et al. 2013, Algorithm 1, as in Keras; Optax has none. Starts: `initial_state`."""

    def init(params: Tree) -> FtrlState:
        return FtrlState(optax.tree.zeros_like(params), optax.tree.zeros_like(params))

    inverse, twice_l2 = 1 / rate, 2 * l2

    def update(updates: Tree, state: FtrlState, params: Tree) -> tuple[Tree, FtrlState]:
        # Of the sum its root is kept: a root of every weight is what takes the time.
        root = jax.tree.map(lambda r, g: jnp.sqrt(r * r + g * g), state.root, updates)
        linear = jax.tree.map(
            lambda z, g, old, new, theta: z + g - (new - old) * inverse * theta,
            *(state.linear, updates, state.root, root, params),
        )

        def move(z: jax.Array, root: jax.Array, theta: jax.Array) -> jax.Array:
            # theta + (0 - theta) is 0 exactly: l1 makes zeros.
            return (jnp.clip(z, -l1, l1) - z) / (root * inverse + twice_l2) - theta

        return jax.tree.map(move, linear, root, params), FtrlState(root, linear)

    return optax.GradientTransformation(init, update)


def _without(hyperparameters: Hyperparameters, name: str) -> dict[str, Any]:
    return {key: value for key, value in hyperparameters.items() if key != name}
