"""Adamax, Nadam and FTRL as Optax transformations: Optax has another equation for them, or none.

Hyperparameters are arrays without axes, so that compiled programs take them as run-time values.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

Tree = Any


def scale_by_adamax(
    beta1: jax.Array, beta2: jax.Array, epsilon: jax.Array
) -> optax.GradientTransformation:
    """Scale a gradient by Kingma and Ba 2015, Algorithm 2.

    Epsilon is added outside the maximum; Optax adds it inside.
    """

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
    """Steps taken, the product of their momenta, and both moments of the gradient."""

    steps: jax.Array
    product: jax.Array
    mu: Tree
    nu: Tree


def scale_by_nadam(
    beta1: jax.Array, beta2: jax.Array, epsilon: jax.Array, decay: jax.Array
) -> optax.GradientTransformation:
    """Scale a gradient by Dozat 2016, with the momentum schedule that `optax.nadam` lacks."""

    def init(params: Tree) -> NadamState:
        zeros = optax.tree.zeros_like(params)
        return NadamState(jnp.zeros((), jnp.int32), jnp.ones_like(beta1), zeros, zeros)

    def momentum(step: jax.Array) -> jax.Array:
        return beta1 * (1 - 0.5 * 0.96 ** (decay * step))

    def update(updates: Tree, state: NadamState, params: Tree = None) -> tuple[Tree, NadamState]:
        del params
        step = state.steps + 1
        current, following = momentum(step), momentum(step + 1)
        product = state.product * current
        mu = optax.tree.update_moment(updates, state.mu, beta1, 1)
        nu = optax.tree.update_moment_per_elem_norm(updates, state.nu, beta2, 2)
        of_mean = following / (1 - product * following)
        of_gradient = (1 - current) / (1 - product)
        corrected = optax.tree.bias_correction(nu, beta2, step)
        updates = jax.tree.map(
            lambda m, g, s: (of_mean * m + of_gradient * g) / (jnp.sqrt(s) + epsilon),
            *(mu, updates, corrected),
        )
        return updates, NadamState(step, product, mu, nu)

    return optax.GradientTransformation(init, update)


class FtrlState(NamedTuple):
    """The square roots of the sums of squared gradients, and the linear terms z."""

    root: Tree
    linear: Tree


def follow_the_leader(
    rate: jax.Array, l1: jax.Array, l2: jax.Array
) -> optax.GradientTransformation:
    """Update weights by McMahan et al. 2013, Algorithm 1, as Keras does; Optax has no FTRL.

    Its state starts with an accumulator: see `manyseeds_jax.optimizers.initial_state`.
    """

    def init(params: Tree) -> FtrlState:
        return FtrlState(optax.tree.zeros_like(params), optax.tree.zeros_like(params))

    inverse, twice_l2 = 1 / rate, 2 * l2

    def update(updates: Tree, state: FtrlState, params: Tree) -> tuple[Tree, FtrlState]:
        # The state has the root instead of the sum: one root per weight and step is the main cost.
        root = jax.tree.map(lambda r, g: jnp.sqrt(r * r + g * g), state.root, updates)
        linear = jax.tree.map(
            lambda z, g, old, new, theta: z + g - (new - old) * inverse * theta,
            *(state.linear, updates, state.root, root, params),
        )

        def move(z: jax.Array, root: jax.Array, theta: jax.Array) -> jax.Array:
            # theta + (0 - theta) is exactly 0, so that l1 makes weights exactly 0.
            return (jnp.clip(z, -l1, l1) - z) / (root * inverse + twice_l2) - theta

        return jax.tree.map(move, linear, root, params), FtrlState(root, linear)

    return optax.GradientTransformation(init, update)
