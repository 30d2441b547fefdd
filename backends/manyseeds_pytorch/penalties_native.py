"""The loop that adds a penalty to gradients on the CPU; `device_native` compiles it."""

from __future__ import annotations

from typing import Any

ADD_PENALTY = (
    "void(float32[:, ::1], float32[:, ::1], float32, float32, float32[::1])",
    "void(float64[:, ::1], float64[:, ::1], float64, float64, float64[::1])",
)


def add_penalty(kernel: Any, gradient: Any, l1: Any, l2: Any, value: Any) -> None:
    """Add the slope of l1 sum |w| + l2 sum w^2 to the gradient, in one pass over memory.

    Parameters
    ----------
    kernel, gradient
        [lanes, weights]; the gradient is changed in place.
    l1, l2
        Factors, in the precision of the kernel.
    value
        Receives the penalty of every lane, [lanes].
    """
    zero, twice = l1 - l1, l2 + l2
    for lane in range(kernel.shape[0]):
        ones, squares = zero, zero
        for index in range(kernel.shape[1]):
            weight = kernel[lane, index]
            slope = l1 if weight > zero else -l1
            gradient[lane, index] += (zero if weight == zero else slope) + twice * weight
            ones += abs(weight)
            squares += weight * weight
        value[lane] = l1 * ones + l2 * squares
