"""The adaptive optimizers of `manyseeds.techniques.optimizers`, and the choice among all.

None is `torch.optim`'s class, which takes one rate for all lanes; each says where the equation is
another one, too. Lanes of one rate, which are usually all, are updated together. Most equations are
put so that one of PyTorch's fused passes over the memory computes them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor

from manyseeds.backend.values import Floats
from manyseeds.techniques import optimizers as definition
from manyseeds_pytorch.optimizers import (
    AbsorbingMomentum,
    AbsorbingSgd,
    Hook,
    LaneOptimizer,
    Momentum,
    Nesterov,
    Pace,
    Piece,
    Sgd,
    Tensors,
    Wanted,
)

_LEAST_RHO = 1e-30
"""Stands for a rho of 0, by which nothing can be divided."""


class Adaptive(LaneOptimizer[Wanted]):
    """Base: without momentum, and with one number for a rate."""

    _rate: float | None = None

    def begin(self, pace: Pace) -> Tensor:
        """Prepare a step: whether one rate is that of all lanes."""
        first = pace.rates[0]
        self._rate = float(first) if np.all(np.equal(pace.rates, first)) else None
        return super().begin(pace)

    def move(self, piece: Piece) -> None:
        """Update a piece in place, lanes of one rate at a time."""
        if self._rate is not None:
            self.adapt(*piece.roles, rate=self._rate)
            return
        for part, rate in self.pace.runs(piece.lanes):
            self.adapt(*([tensor[part] for tensor in role] for role in piece.roles), rate=rate)

    def adapt(self, *roles: Tensors, rate: float) -> None:
        """Update lanes of one rate in place, given (parameters, gradients, what is kept ...)."""
        raise NotImplementedError


class Adagrad(Adaptive[definition.Adagrad]):
    """s <- s + g^2; theta <- theta - eta g / sqrt(s + eps); `torch.optim` has eps outside.

    What is kept is s + eps, of which PyTorch's Adagrad takes the root if its own eps is 0.
    """

    def first(self) -> tuple[float, ...]:
        """Return that of s + eps."""
        return (self.wanted.accumulator + self.wanted.epsilon,)

    def adapt(self, *roles: Tensors, rate: float) -> None:
        """Update in place."""
        _adagrad(*roles, rate=rate, epsilon=0.0)


class Rmsprop(Adaptive[definition.Rmsprop]):
    """s <- rho s + (1-rho) g^2, theta as in Adagrad; `torch.optim` has eps outside.

    What is kept is s + eps: then it is Adam without momentum, bias correction and eps.
    """

    def first(self) -> tuple[float, ...]:
        """Return that of s + eps."""
        return (self.wanted.epsilon,)

    def adapt(self, *roles: Tensors, rate: float) -> None:
        """Update in place."""
        theta, g, s = roles
        rho = max(self.wanted.rho, _LEAST_RHO)
        # s + eps <- rho (s + eps + eps (1-rho) / rho) + (1-rho) g^2
        torch._foreach_add_(s, self.wanted.epsilon * (1 - rho) / rho)
        m = g  # It is forgotten at once.
        _adam(theta, g, m, s, rate=rate, beta1=0.0, beta2=rho, step=math.inf, epsilon=0.0)


class Adamax(Adaptive[definition.Adamax]):
    """m as in Adam; u <- max(b2 u, |g|); theta <- theta - eta m / ((1 - b1^t) (u + eps)).

    `torch.optim.Adamax` adds eps to |g|. What is kept is u^2: it is AMSGrad whose s is g^2, and
    whose largest s until now decays.
    """

    def first(self) -> tuple[float, ...]:
        """Return those of m and u^2."""
        return (0.0, 0.0)

    def adapt(self, *roles: Tensors, rate: float) -> None:
        """Update in place."""
        theta, g, m, largest = roles
        wanted = self.wanted
        torch._foreach_mul_(largest, wanted.beta2**2)
        _adam(
            *(theta, g, m, g, largest),  # g^2 may overwrite g: nothing else wants it.
            rate=rate,
            beta1=wanted.beta1,
            beta2=0.0,
            step=self.steps,
            epsilon=wanted.epsilon,
        )


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


class SmoothFtrl(Adaptive[definition.Ftrl]):
    """Ftrl with an l1 of 0, where nothing but the update moves theta: Adagrad, while eta stays.

    After a step theta is -z / (sqrt(n) / eta + 2 l2): z need not be kept. Put into the next step,
    whose eta is eta', that is theta <- theta - eta' (g + pull theta) / (sqrt(n') + 2 l2 eta') where
    pull = sqrt(n) (1 / eta' - 1 / eta), or in the first step, before which z is 0 whatever theta,
    pull = sqrt(n) / eta' + 2 l2. See McMahan 2011, "Follow-the-Regularized-Leader and Mirror
    Descent".
    """

    _rates: Floats | None = None

    def first(self) -> tuple[float, ...]:
        """Return that of n."""
        return (self.wanted.accumulator,)

    def begin(self, pace: Pace) -> Tensor:
        """Prepare a step: by how much 1 / eta has changed in each lane."""
        changes = 1 / pace.rates - (0.0 if self._rates is None else 1 / self._rates)
        self._changes = pace.rate.new_tensor(changes)[:, None, None] if changes.any() else None
        self._rates = pace.rates
        return super().begin(pace)

    def move(self, piece: Piece) -> None:
        """Update a piece in place; its pulls are usually 0."""
        if self._changes is None:
            return super().move(piece)
        theta, _, n = piece.roles
        pull = torch._foreach_sqrt(n)
        torch._foreach_mul_(pull, [self._changes[piece.lanes]] * len(pull))
        if self.steps == 1:
            torch._foreach_add_(pull, 2 * self.wanted.l2)
        torch._foreach_mul_(pull, theta)
        super().move(piece)
        rate = self.pace.rate[piece.lanes]
        scale = torch._foreach_sqrt(n)
        torch._foreach_add_(scale, [2 * self.wanted.l2 * rate] * len(scale))
        torch._foreach_mul_(pull, [rate] * len(pull))
        torch._foreach_addcdiv_(theta, pull, scale, value=-1.0)
        return None

    def adapt(self, *roles: Tensors, rate: float) -> None:
        """Update in place, without the pull."""
        _adagrad(*roles, rate=rate, epsilon=2 * self.wanted.l2 * rate)


class Adam(Adaptive[definition.Adam]):
    """Adam as `torch.optim.Adam`, and by its means."""

    def first(self) -> tuple[float, ...]:
        """Return those of m and s."""
        return (0.0, 0.0)

    def adapt(self, *roles: Tensors, rate: float) -> None:
        """Update in place."""
        wanted = self.wanted
        _adam(
            *roles,
            rate=rate,
            beta1=wanted.beta1,
            beta2=wanted.beta2,
            step=self.steps,
            epsilon=wanted.epsilon,
        )


class Nadam(Adaptive[definition.Nadam | definition.NadamKeras3]):
    """Adam with Nesterov's momentum, as `torch.optim.NAdam`; Keras 3's with another decay."""

    _product = 1.0

    def first(self) -> tuple[float, ...]:
        """Return those of m and s."""
        return (0.0, 0.0)

    def begin(self, pace: Pace) -> Tensor:
        """Prepare a step: M_t, the product of mu_1 to mu_t."""
        start = super().begin(pace)
        self._product *= self._mu(self.steps)
        return start

    def _mu(self, t: int) -> float:
        return self.wanted.beta1 * (1 - 0.96 ** (self.wanted.decay * t) / 2)

    def adapt(self, *roles: Tensors, rate: float) -> None:
        """Update in place.

        m^ = a m' + b g, where m' is the new m, is (a + b) times what Adam would make of m and g
        with beta1 = b1 a / (a + b), which it would then divide by its bias correction. Where it
        left that, m' is then made of it and g: m' = x + (g - x) (-b / a).
        """
        theta, g, m, s = roles
        wanted = self.wanted
        following = self._mu(self.steps + 1)
        a = following / (1 - self._product * following)
        b = (1 - self._mu(self.steps)) / (1 - self._product)
        beta1 = wanted.beta1 * a / (a + b)
        _adam(
            *(theta, g, m, s),
            rate=rate * (a + b) * (1 - beta1**self.steps),
            beta1=beta1,
            beta2=wanted.beta2,
            step=self.steps,
            epsilon=wanted.epsilon,
        )
        if a > 0:  # Else b1 is 0, and m is never looked at.
            torch._foreach_lerp_(m, g, -b / a)


def _adagrad(theta: Tensors, g: Tensors, n: Tensors, *, rate: float, epsilon: float) -> None:
    """Set n to n + g^2, and theta to theta - eta g / (sqrt(n) + eps): one pass over a CPU's memory.

    PyTorch before 2.9 has that for no GPU.
    """
    if not theta[0].is_cpu:
        torch._foreach_addcmul_(n, g, g)
        scale = torch._foreach_sqrt(n)
        torch._foreach_add_(scale, epsilon)
        return torch._foreach_addcdiv_(theta, g, scale, value=-rate)
    return torch._fused_adagrad_(
        *(theta, g, n, [torch.ones(())] * len(theta)),
        lr=rate,
        lr_decay=0.0,
        weight_decay=0.0,
        eps=epsilon,
        maximize=False,
    )


def _adam(
    theta: Tensors,
    g: Tensors,
    m: Tensors,
    s: Tensors,
    largest: Tensors | None = None,
    *,
    rate: float,
    beta1: float,
    beta2: float,
    step: float,
    epsilon: float,
) -> None:
    """Take Adam's step, in one pass over the memory: epsilon outside the root, after correction.

    `largest` is AMSGrad's. `m` or `s` may be `g`, which is then overwritten.
    """
    number = torch.full((), step, device=theta[0].device, dtype=torch.float32)
    torch._fused_adam_(
        *(theta, g, m, s, largest or [], [number] * len(theta)),
        lr=rate,
        beta1=beta1,
        beta2=beta2,
        weight_decay=0.0,
        eps=epsilon,
        amsgrad=largest is not None,
        maximize=False,
    )


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
    early: Collection[int] = (),
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
    early
        Which parameters, by place, may be updated in the midst of the backward pass.
    """
    kind = type(wanted)
    made = _COLLECTING[kind] if before else _ABSORBING.get(kind, _COLLECTING[kind])
    if isinstance(wanted, definition.Ftrl) and wanted.l1 == 0 and not after:
        made = SmoothFtrl
    return made(wanted, parameters, before, after, early)
