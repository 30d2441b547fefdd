"""The canonical optimizers as Optax transformations; one lane, for `jax.vmap`.

Optax transformations are made of pure functions: made inside the compiled step, they take that
step's rate, momentum and hyperparameters as run-time values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

Knobs = Mapping[str, Any]


def transformation(
    kind: str, rate: jax.Array, momentum: jax.Array, knobs: Knobs
) -> optax.GradientTransformation:
    """Return one step of an optimizer.

    Parameters
    ----------
    kind
        The optimizer's name.
    rate, momentum
        Of this step and lane, no axes; optimizers without a momentum ignore it.
    knobs
        The other hyperparameters by name, no axes.
    """
    if kind == "sgd":
        return optax.sgd(rate, momentum=None, nesterov=False)
    if kind in ("momentum", "nesterov"):
        # The velocity holds the rate: optax.sgd would scale the velocity by today's rate.
        return optax.chain(
            optax.scale(rate),
            optax.trace(decay=momentum, nesterov=kind == "nesterov"),
            optax.scale(-1.0),
        )
    return optax.adam(
        rate,
        b1=knobs["beta1"],
        b2=knobs["beta2"],
        eps=knobs["epsilon"],
        eps_root=0.0,
        nesterov=False,
    )


def initial_state(kind: str, parameters: Any) -> optax.OptState:
    """Return the state of a fresh optimizer for one lane's parameters."""
    zero = jnp.zeros(())
    knobs = {"beta1": zero, "beta2": zero, "epsilon": zero}
    return transformation(kind, zero, zero, knobs).init(parameters)
