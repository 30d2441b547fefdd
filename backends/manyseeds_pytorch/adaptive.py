"""The adaptive optimizers of `manyseeds.optimizers`, and the choice among all.

None is `torch.optim`'s class, which takes one rate for all lanes; each says where the equation is
another one, too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from manyseeds import optimizers as definition
from manyseeds_pytorch.optimizers import (
    AbsorbingMomentum,
    AbsorbingSgd,
    Hook,
    LaneOptimizer,
    Momentum,
    Nesterov,
    Sgd,
    Tensors,
)


class Adagrad(LaneOptimizer[definition.Adagrad]):
    """s <- s + g^2; theta <- theta - eta g / sqrt(s + eps); `torch.optim` has eps outside."""

    def first(self) -> tuple[float, ...]:
        """Return that of s."""
        return (self.wanted.accumulator,)

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g, s = roles
        torch._foreach_addcmul_(s, g, g)
        _step_by_root(theta, g, s, self.wanted.epsilon, rate)


class Rmsprop(LaneOptimizer[definition.Rmsprop]):
    """s <- rho s + (1-rho) g^2, theta as in Adagrad; `torch.optim` has eps outside."""

    def first(self) -> tuple[float, ...]:
        """Return that of s."""
        return (0.0,)

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g, s = roles
        _move_square(s, g, self.wanted.rho)
        _step_by_root(theta, g, s, self.wanted.epsilon, rate)


def _move_square(s: Tensors, g: Tensors, share: float) -> None:
    """Set s to share s + (1 - share) g^2."""
    torch._foreach_mul_(s, share)
    torch._foreach_addcmul_(s, g, g, value=1 - share)


def _step_by_root(theta: Tensors, g: Tensors, s: Tensors, epsilon: float, rate: Tensors) -> None:
    """Set theta to theta - eta g / sqrt(s + eps)."""
    root = torch._foreach_add(s, epsilon)
    torch._foreach_sqrt_(root)
    torch._foreach_addcdiv_(theta, torch._foreach_mul(g, rate), root, value=-1.0)


class Adam(LaneOptimizer[definition.Adam]):
    """Adam as `torch.optim.Adam`: epsilon outside the root, after bias correction."""

    def first(self) -> tuple[float, ...]:
        """Return those of m and s."""
        return (0.0, 0.0)

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g, m, s = roles
        wanted, t = self.wanted, self.steps
        torch._foreach_lerp_(m, g, 1 - wanted.beta1)
        _move_square(s, g, wanted.beta2)
        root = _root(s, 1 - wanted.beta2**t, wanted.epsilon)
        step = torch._foreach_mul(m, rate)
        torch._foreach_addcdiv_(theta, step, root, value=-1 / (1 - wanted.beta1**t))


def _root(s: Tensors, correction: float, epsilon: float) -> list[Tensor]:
    """Return sqrt(s / correction) + eps."""
    root = list(torch._foreach_sqrt(s))
    torch._foreach_div_(root, correction**0.5)
    torch._foreach_add_(root, epsilon)
    return root


class Adamax(LaneOptimizer[definition.Adamax]):
    """m as in Adam; u <- max(b2 u, |g|); theta <- theta - eta m / ((1 - b1^t) (u + eps)).

    `torch.optim.Adamax` adds eps to |g|.
    """

    def first(self) -> tuple[float, ...]:
        """Return those of m and u."""
        return (0.0, 0.0)

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g, m, u = roles
        wanted = self.wanted
        torch._foreach_lerp_(m, g, 1 - wanted.beta1)
        torch._foreach_mul_(u, wanted.beta2)
        torch._foreach_maximum_(u, torch._foreach_abs(g))
        size = torch._foreach_add(u, wanted.epsilon)
        step = torch._foreach_mul(m, rate)
        torch._foreach_addcdiv_(theta, step, size, value=-1 / (1 - wanted.beta1**self.steps))


class Nadam(LaneOptimizer[definition.Nadam | definition.NadamKeras3]):
    """Adam with Nesterov's momentum, as `torch.optim.NAdam`; Keras 3's with another decay."""

    _product = 1.0

    def first(self) -> tuple[float, ...]:
        """Return those of m and s."""
        return (0.0, 0.0)

    def begin(self, rate: Tensor, momentum: Tensor | None) -> Tensor:
        """Prepare a step: M_t, the product of mu_1 to mu_t."""
        start = super().begin(rate, momentum)
        self._product *= self._mu(self.steps)
        return start

    def _mu(self, t: int) -> float:
        return self.wanted.beta1 * (1 - 0.96 ** (self.wanted.decay * t) / 2)

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g, m, s = roles
        wanted, t = self.wanted, self.steps
        torch._foreach_lerp_(m, g, 1 - wanted.beta1)
        _move_square(s, g, wanted.beta2)
        root = _root(s, 1 - wanted.beta2**t, wanted.epsilon)
        following = self._mu(t + 1)
        step = torch._foreach_mul(m, following / (1 - self._product * following))
        torch._foreach_add_(step, g, alpha=(1 - self._mu(t)) / (1 - self._product))
        torch._foreach_mul_(step, rate)
        torch._foreach_addcdiv_(theta, step, root, value=-1.0)


class Ftrl(LaneOptimizer[definition.Ftrl]):
    """Follow the regularised leader, per coordinate; `torch.optim` has none."""

    def first(self) -> tuple[float, ...]:
        """Return those of n and z."""
        return (self.wanted.accumulator, 0.0)

    def update(self, *roles: Tensors, rate: Tensors, momentum: Tensors) -> None:
        """Update in place."""
        theta, g, n, z = roles
        before = torch._foreach_sqrt(n)
        torch._foreach_addcmul_(n, g, g)
        root = torch._foreach_sqrt(n)
        torch._foreach_div_(root, rate)
        # z <- z + g - (sqrt(n') / eta - sqrt(n) / eta) theta
        torch._foreach_div_(before, rate)
        torch._foreach_sub_(before, root)
        torch._foreach_add_(z, g)
        torch._foreach_addcmul_(z, before, theta)
        # theta <- (clip(z, -l1, l1) - z) / (sqrt(n') / eta + 2 l2)
        torch._foreach_add_(root, 2 * self.wanted.l2)
        clipped = torch._foreach_clamp_min(z, -self.wanted.l1)
        torch._foreach_clamp_max_(clipped, self.wanted.l1)
        torch._foreach_sub_(clipped, z)
        torch._foreach_div_(clipped, root)
        torch._foreach_copy_(theta, clipped)


_COLLECTING: dict[type, type[LaneOptimizer]] = {
    definition.Sgd: Sgd,
    definition.Momentum: Momentum,
    definition.Nesterov: Nesterov,
    definition.Adagrad: Adagrad,
    definition.Rmsprop: Rmsprop,
    definition.Adam: Adam,
    definition.Adamax: Adamax,
    definition.Nadam: Nadam,
    definition.NadamKeras3: Nadam,
    definition.Ftrl: Ftrl,
}
_ABSORBING: dict[type, type[LaneOptimizer]] = {
    definition.Sgd: AbsorbingSgd,
    definition.Momentum: AbsorbingMomentum,
}


def optimizer(
    wanted: definition.Optimizer,
    parameters: Sequence[Tensor],
    before: Sequence[Hook] = (),
    after: Sequence[Hook] = (),
) -> LaneOptimizer:
    """Return a fresh optimizer, every hyperparameter spelled out.

    Parameters
    ----------
    wanted
        Which.
    parameters
        What is trained, [lanes, ...].
    before, after
        What happens to the gradients before the update, and to the parameters after it.
    """
    kind = type(wanted)
    made = _COLLECTING[kind] if before else _ABSORBING.get(kind, _COLLECTING[kind])
    return made(wanted, parameters, before, after)
