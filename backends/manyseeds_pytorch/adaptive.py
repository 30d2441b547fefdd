"""The adaptive optimizers of `manyseeds.optimizers`, and the choice among all.

None is `torch.optim`'s class, which takes one rate for all lanes; each says where the equation is
another one, too. Lanes of one rate, which are usually all, are updated together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

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
    Pace,
    Sgd,
    Tensors,
    Wanted,
)


class Adaptive(LaneOptimizer[Wanted]):
    """Base: without momentum, and with one number for a rate."""

    def move(self, span: slice, roles: list[Tensors]) -> None:
        """Update some lanes in place, those of one rate at a time."""
        for part, rate in self.pace.runs(span):
            self.adapt(*([tensor[part] for tensor in role] for role in roles), rate=rate)

    def adapt(self, *roles: Tensors, rate: float) -> None:
        """Update lanes of one rate in place, given (parameters, gradients, what is kept ...)."""
        raise NotImplementedError


class Adagrad(Adaptive[definition.Adagrad]):
    """s <- s + g^2; theta <- theta - eta g / sqrt(s + eps); `torch.optim` has eps outside."""

    def first(self) -> tuple[float, ...]:
        """Return that of s."""
        return (self.wanted.accumulator,)

    def adapt(self, *roles: Tensors, rate: float) -> None:
        """Update in place."""
        theta, g, s = roles
        torch._foreach_addcmul_(s, g, g)
        _step_by_root(theta, g, s, self.wanted.epsilon, rate)


class Rmsprop(Adaptive[definition.Rmsprop]):
    """s <- rho s + (1-rho) g^2, theta as in Adagrad; `torch.optim` has eps outside."""

    def first(self) -> tuple[float, ...]:
        """Return that of s."""
        return (0.0,)

    def adapt(self, *roles: Tensors, rate: float) -> None:
        """Update in place."""
        theta, g, s = roles
        torch._foreach_mul_(s, self.wanted.rho)
        torch._foreach_addcmul_(s, g, g, value=1 - self.wanted.rho)
        _step_by_root(theta, g, s, self.wanted.epsilon, rate)


def _step_by_root(theta: Tensors, g: Tensors, s: Tensors, epsilon: float, rate: float) -> None:
    """Set theta to theta - eta g / sqrt(s + eps)."""
    root = torch._foreach_add(s, epsilon)
    torch._foreach_sqrt_(root)
    torch._foreach_addcdiv_(theta, g, root, value=-rate)


class Adamax(Adaptive[definition.Adamax]):
    """m as in Adam; u <- max(b2 u, |g|); theta <- theta - eta m / ((1 - b1^t) (u + eps)).

    `torch.optim.Adamax` adds eps to |g|.
    """

    def first(self) -> tuple[float, ...]:
        """Return those of m and u."""
        return (0.0, 0.0)

    def adapt(self, *roles: Tensors, rate: float) -> None:
        """Update in place."""
        theta, g, m, u = roles
        wanted = self.wanted
        torch._foreach_lerp_(m, g, 1 - wanted.beta1)
        torch._foreach_mul_(u, wanted.beta2)
        torch._foreach_maximum_(u, torch._foreach_abs(g))
        size = torch._foreach_add(u, wanted.epsilon)
        torch._foreach_addcdiv_(theta, m, size, value=-rate / (1 - wanted.beta1**self.steps))


class Ftrl(Adaptive[definition.Ftrl]):
    """Follow the regularised leader, per coordinate; `torch.optim` has none."""

    def first(self) -> tuple[float, ...]:
        """Return those of n and z."""
        return (self.wanted.accumulator, 0.0)

    def adapt(self, *roles: Tensors, rate: float) -> None:
        """Update in place."""
        theta, g, n, z = roles
        change = torch._foreach_sqrt(n)
        torch._foreach_addcmul_(n, g, g)
        root = torch._foreach_sqrt(n)
        torch._foreach_sub_(change, root)
        # z <- z + g - (sqrt(n') - sqrt(n)) theta / eta
        torch._foreach_add_(z, g)
        torch._foreach_addcmul_(z, change, theta, value=1 / rate)
        # theta <- (clip(z, -l1, l1) - z) / (sqrt(n') / eta + 2 l2)
        torch._foreach_mul_(root, 1 / rate)
        torch._foreach_add_(root, 2 * self.wanted.l2)
        for each, sums, scale in zip(theta, z, root, strict=True):
            torch.clamp(sums, -self.wanted.l1, self.wanted.l1, out=each)
            each.sub_(sums).div_(scale)


_Moments = TypeVar("_Moments", bound=definition.Adam | definition.Nadam | definition.NadamKeras3)


class _Moving(Adaptive[_Moments]):
    """Base of Adam and its kin: PyTorch has Adam as one pass over the memory."""

    def __init__(
        self,
        wanted: _Moments,
        parameters: Sequence[Tensor],
        before: Sequence[Hook],
        after: Sequence[Hook],
    ) -> None:
        super().__init__(wanted, parameters, before, after)
        self._step = torch.zeros((), device=parameters[0].device)

    def first(self) -> tuple[float, ...]:
        """Return those of m and s."""
        return (0.0, 0.0)

    def begin(self, pace: Pace) -> Tensor:
        """Prepare a step: its number is wanted on the device, too."""
        start = super().begin(pace)
        self._step.fill_(self.steps)
        return start

    def adam(self, *roles: Tensors, rate: float, beta1: float) -> None:
        """Take Adam's step: epsilon outside the root, after bias correction."""
        torch._fused_adam_(
            *(*roles, [], [self._step] * len(roles[0])),
            lr=rate,
            beta1=beta1,
            beta2=self.wanted.beta2,
            weight_decay=0.0,
            eps=self.wanted.epsilon,
            amsgrad=False,
            maximize=False,
        )


class Adam(_Moving[definition.Adam]):
    """Adam as `torch.optim.Adam`, and by its means."""

    def adapt(self, *roles: Tensors, rate: float) -> None:
        """Update in place."""
        self.adam(*roles, rate=rate, beta1=self.wanted.beta1)


class Nadam(_Moving[definition.Nadam | definition.NadamKeras3]):
    """Adam with Nesterov's momentum, as `torch.optim.NAdam`; Keras 3's with another decay."""

    _product = 1.0

    def begin(self, pace: Pace) -> Tensor:
        """Prepare a step: M_t, the product of mu_1 to mu_t."""
        start = super().begin(pace)
        self._product *= self._mu(self.steps)
        return start

    def _mu(self, t: int) -> float:
        return self.wanted.beta1 * (1 - 0.96 ** (self.wanted.decay * t) / 2)

    def adapt(self, *roles: Tensors, rate: float) -> None:
        """Update in place.

        m^ = a m + b g is (a + b) times what Adam would make of m and g with beta1 = a / (a + b),
        which it would then divide by its bias correction.
        """
        theta, g, m, s = roles
        following = self._mu(self.steps + 1)
        a = following / (1 - self._product * following)
        b = (1 - self._mu(self.steps)) / (1 - self._product)
        beta1 = a / (a + b)
        torch._foreach_lerp_(m, g, 1 - self.wanted.beta1)
        blend = [moment.clone() for moment in m]
        rate = rate * (a + b) * (1 - beta1**self.steps)
        self.adam(theta, g, blend, s, rate=rate, beta1=beta1)


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
